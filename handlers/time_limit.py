"""How long anybody waits for an answer."""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, Final, TypeVar, cast

from models.errors import ChatError, Unavailable

ANSWER_SECONDS: Final = 4.8  # CONTRACT section 4: `unavailable` within 5 s

_T = TypeVar("_T")

log = logging.getLogger("shopbell.http")


async def within_limit(work: Awaitable[_T]) -> _T:
    """Waits for some work as long as anybody should, then raises ``Unavailable``.

    The work goes on: cancelling a write leaves its outcome unknown all the same, and the next try
    with the same ``client_id`` finds what became of it.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
    if done:
        return task.result()
    task.add_done_callback(_forget)
    raise Unavailable


async def or_not_at_all(work: Coroutine[Any, None, _T]) -> _T:
    """The same for work that may end anywhere: past the limit it does. For sockets, whose next
    frame is taken then.

    Most frames are answered from memory. So the work begins without a timer, which would cost more
    than many an answer, and gets one when it waits for the first time.
    """
    try:
        awaited = work.send(None)
    except StopIteration as finished:
        return cast(_T, finished.value)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _resumed(work, awaited)
    except TimeoutError:
        raise Unavailable from None


@coroutine
def _resumed(work: Coroutine[Any, None, _T], awaited: Any) -> Generator[Any, None, _T]:
    """Awaits a coroutine that has begun and waits for ``awaited``; ``await`` takes only new ones
    (PEP 492). What is thrown into this one, as a cancellation is, reaches the work."""
    while True:
        try:
            yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001  # it is passed on
            step = partial(work.throw, error)
        else:
            step = partial(work.send, None)
        try:
            awaited = step()
        except StopIteration as finished:
            return cast(_T, finished.value)


def _forget(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, ChatError):
        log.error("work that nobody waited for any more failed", exc_info=error)
