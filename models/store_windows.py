"""Lists sorted by time, the newest first, out of windows of time."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T")

# The embedded engine serves ranges bounded on both sides from an index and sorts everything else in
# memory, so the newest entries of a list are looked for in windows of time until a page is full.
# Each is as long as the entries of the one before let expect, and much longer after none.
FIRST_WINDOW: Final = timedelta(minutes=5)
WINDOW_ENTRIES: Final = 200  # a window with more is halved
MILLISECOND: Final = timedelta(milliseconds=1)  # what the database keeps of a time
WINDOW_GROWTH: Final = 6  # at most, of windows of what is read to its end: counts and names
LONGEST_STEP: Final = 36  # of windows that are halved where they hold too many
OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
EVERYTHING: Final = timedelta(days=365 * 100)  # as a window, for lists that are mostly short
AHEAD: Final = timedelta(days=2)  # a clock that was stepped back must not hide the newest


class Cursor(NamedTuple):
    """Where a page of a list sorted by time ended."""

    at: datetime
    id: str


async def newest(
    read: Callable[[datetime, datetime, int], Awaitable[list[_T]]],
    place: Callable[[_T], Cursor],
    is_wanted: Callable[[_T], bool],
    *,
    before: Cursor | None,
    limit: int,
    first: timedelta = FIRST_WINDOW,
) -> list[_T]:
    """The newest entries before the cursor, out of windows of time, of which the latest is as long
    as ``first``. One that holds too many is halved instead of being read as a whole."""
    start = datetime.now(UTC) if before is None else before.at
    # Several may share the cursor's moment.
    high = start + (AHEAD if before is None else MILLISECOND)
    low, span = start - min(first, start - OLDEST), first
    most = max(WINDOW_ENTRIES, 2 * limit)
    waiting = [(low, high)]
    found: list[_T] = []
    while waiting:
        low, high = waiting.pop()
        can_be_halved = high - low > 2 * MILLISECOND
        entries = await read(low, high, most + 1 if can_be_halved else 0)  # 0: all that there are
        if can_be_halved and len(entries) > most:
            middle = middle_of(low, high)
            waiting += [(low, middle), (middle, high)]
            continue
        wanted = [e for e in entries if is_wanted(e) and (before is None or place(e) < before)]
        found += wanted
        missing = limit - len(found)
        if missing <= 0:
            break
        if not waiting and low > OLDEST:
            enough = 1.5 * missing / len(wanted) if wanted else LONGEST_STEP
            span *= min(LONGEST_STEP, enough, most / 2 / max(1, len(entries)))
            span = max(span, MILLISECOND)
            waiting = [(low - min(span, low - OLDEST), low)]
    return sorted(found, key=place, reverse=True)[:limit]


def middle_of(low: datetime, high: datetime) -> datetime:
    """Where a window is cut: at this moment if it reaches far to both sides of it, else in its
    middle; the part that lies ahead of the clock is not cut at this moment again."""
    now = datetime.now(UTC)
    if low + FIRST_WINDOW <= now < high - FIRST_WINDOW:
        return now + MILLISECOND
    milliseconds = (high - low) // MILLISECOND // 2
    return low + milliseconds * MILLISECOND
