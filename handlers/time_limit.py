"""How long anybody waits for an answer."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

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


async def or_not_at_all(work: Awaitable[_T]) -> _T:
    """The same for work that stores nothing that matters: past the limit it ends."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await work
    except TimeoutError:
        raise Unavailable from None


def _forget(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, ChatError):
        log.error("work that nobody waited for any more failed", exc_info=error)
