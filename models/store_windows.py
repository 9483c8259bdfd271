"""Lists sorted by time, the newest first, out of windows of time."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T")

# The embedded engine serves ranges bounded on both sides from an index and sorts everything else in
# memory, so the newest entries of a list are looked for in windows of time that widen until a page
# is full.
FIRST_WINDOW: Final = timedelta(minutes=5)
WINDOW_ENTRIES: Final = 200  # a window with more is halved
MILLISECOND: Final = timedelta(milliseconds=1)  # what the database keeps of a time
WINDOW_GROWTH: Final = 6
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
    windows = _windows(before, first)
    waiting: list[tuple[datetime, datetime]] = []
    found: list[_T] = []
    while len(found) < limit:
        low, high = window = waiting.pop() if waiting else next(windows, (OLDEST, OLDEST))
        if low == high:
            break
        most = max(WINDOW_ENTRIES, 2 * limit)
        can_be_halved = high - low > 2 * MILLISECOND
        entries = await read(*window, most + 1 if can_be_halved else 0)  # 0: all that there are
        if can_be_halved and len(entries) > most:
            middle = middle_of(low, high)
            waiting += [(low, middle), (middle, high)]
            continue
        found += [e for e in entries if is_wanted(e) and (before is None or place(e) < before)]
    return sorted(found, key=place, reverse=True)[:limit]


def middle_of(low: datetime, high: datetime) -> datetime:
    """Where a window is cut: at this moment if it reaches far ahead of it, else in its middle."""
    now = datetime.now(UTC)
    if low < now < high - FIRST_WINDOW:
        return now + MILLISECOND
    milliseconds = (high - low) // MILLISECOND // 2
    return low + milliseconds * MILLISECOND


def _windows(before: Cursor | None, span: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Neighbouring spans of time from the cursor, or from now, back to before anything was."""
    if before is None:
        start = datetime.now(UTC)
        high = start + AHEAD
    else:
        start = before.at
        high = start + MILLISECOND  # several may share the cursor's
    low = start - min(span, start - OLDEST)
    while high > OLDEST:
        yield low, high
        span *= WINDOW_GROWTH
        low, high = low - min(span, low - OLDEST), low
