"""What a seller's last 30 days say: how soon they usually answer, and when they are usually there.

Plain counts, and what can honestly be told of them; no I/O. Days and hours are those of UTC.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# An answer took up to so many seconds. Closer is no use to who waits, and so the answers of a day
# are a few counts, however many they were.
STEPS: Final = (
    *(minutes * MINUTE for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(hours * HOUR for hours in (1, 2, 3, 4, 6, 9, 12, 18)),
    *(days * DAY for days in (1, 2, 3, 4, 5, 7)),
)
LONGER: Final = 30 * DAY  # stands for all that took longer than the last step

DAYS_KEPT: Final = 30
REPLIES_LEAST: Final = 5  # fewer say nothing of the next one
DAYS_LEAST: Final = 5
TWO_WEEKS: Final = timedelta(days=14)  # from then on a Monday is compared with Mondays
WEEK_HOURS: Final = 7 * 24


@dataclass(slots=True)
class Day:
    """What is known of one day: a bit for each hour in which the seller was seen online, and how
    many of their answers took up to which of ``STEPS``."""

    hours: int = 0
    replies: Counter[int] = field(default_factory=Counter)


class Timesheet:
    """The days of one seller of which something is known."""

    def __init__(self, days: Mapping[date, Day] | None = None) -> None:
        self.days: dict[date, Day] = {}
        self.add(days or {})

    def saw(self, at: datetime) -> bool:
        """The seller was seen online; true if that was not known of this hour."""
        day = self._day(at.date())
        before = day.hours
        day.hours |= 1 << at.hour
        return day.hours != before

    def answered(self, at: datetime, waited: timedelta) -> None:
        """The seller gave an answer, to somebody who had waited for so long."""
        step = bisect_left(STEPS, waited.total_seconds())
        self._day(at.date()).replies[STEPS[step] if step < len(STEPS) else LONGER] += 1

    def add(self, days: Mapping[date, Day]) -> None:
        """Takes in what somebody else has counted."""
        for on, more in days.items():
            day = self._day(on)
            day.hours |= more.hours
            day.replies += more.replies

    def forget(self, today: date) -> None:
        """Drops what is too old to say anything."""
        self.days = self._recent(today)

    def replies_in(self, today: date) -> int | None:
        """Half of the answers of the last 30 days took no more than so many seconds, which is one
        of ``STEPS``. None for too few answers, or too slow ones."""
        replies = sum((day.replies for day in self._recent(today).values()), Counter[int]())
        if replies.total() < REPLIES_LEAST:
            return None
        seen = 0
        for step in STEPS:
            seen += replies[step]
            if 2 * seen >= replies.total():
                return step
        return None

    def back_at(self, now: datetime) -> datetime | None:
        """The beginning of the next hour in which the seller was there on at least half of the days
        that can be compared: the same days of the week, or while fewer than two weeks are known,
        all on which they were there. None for fewer than five such days."""
        today = now.date()
        hours = {on: d.hours for on, d in self._recent(today).items() if d.hours and on < today}
        if len(hours) < DAYS_LEAST:
            return None
        first, days = min(hours), list(hours)
        by_weekday = today - first >= TWO_WEEKS
        if by_weekday:  # a day on which they never came counts against the others of its name
            days = [first + timedelta(days=n) for n in range((today - first).days)]
        this_hour = datetime.combine(today, time(now.hour), UTC)
        for ahead in range(1, WEEK_HOURS + 1):
            at = this_hour + timedelta(hours=ahead)
            like = [on for on in days if not by_weekday or on.weekday() == at.weekday()]
            if 2 * sum(hours.get(on, 0) >> at.hour & 1 for on in like) >= len(like):
                return at
        return None

    def _day(self, on: date) -> Day:
        return self.days.setdefault(on, Day())

    def _recent(self, today: date) -> dict[date, Day]:
        oldest = today - timedelta(days=DAYS_KEPT)
        return {on: day for on, day in self.days.items() if on > oldest}
