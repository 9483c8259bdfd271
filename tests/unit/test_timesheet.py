import statistics
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.timesheet import DAYS_KEPT, LONGER, REPLIES_LEAST, STEPS, Timesheet

TODAY = date(2026, 11, 20)  # a Friday
NOW = datetime(2026, 11, 20, 14, 20, tzinfo=UTC)

MINUTES, HOURS, DAYS = 60, 3600, 86400


def hour(on, hours):
    """The beginning of an hour, so many days from today."""
    return datetime(2026, 11, 20, hours, tzinfo=UTC) + timedelta(days=on)


def answered(*seconds, at=NOW):
    sheet = Timesheet()
    for waited in seconds:
        sheet.answered(at, timedelta(seconds=waited))
    return sheet


def seen(*hours):
    """The sheet of one who was there in these hours."""
    sheet = Timesheet()
    for at in hours:
        sheet.saw(at)
    return sheet


# --- How soon they answer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        ([], None),
        ([10] * 4, None),
        ([10] * 5, 1 * MINUTES),
        ([0] * 5, 1 * MINUTES),
        ([60] * 5, 1 * MINUTES),
        ([60.001] * 5, 2 * MINUTES),
        ([14 * MINUTES] * 5, 15 * MINUTES),
        ([50 * MINUTES] * 5, 1 * HOURS),
        ([30, 40, 50, 14 * HOURS, 15 * HOURS], 1 * MINUTES),
        ([30, 40, 14 * HOURS, 15 * HOURS, 16 * HOURS], 18 * HOURS),  # nights count
        ([30, 30, 30, 9 * MINUTES, 9 * MINUTES, 9 * MINUTES], 1 * MINUTES),
        ([7 * DAYS] * 5, 7 * DAYS),
        ([8 * DAYS] * 5, None),
        ([90 * DAYS] * 2 + [60] * 3, 1 * MINUTES),
    ],
)
def test_half_of_the_answers_took_no_longer_than_is_told(seconds, told):
    assert answered(*seconds).replies_in(TODAY) == told


@given(st.lists(st.floats(0, 60 * DAYS), min_size=REPLIES_LEAST, max_size=60))
def test_what_is_told_is_the_median_rounded_up_to_a_step(seconds):
    median = statistics.median_low(seconds)
    assert answered(*seconds).replies_in(TODAY) == next(
        (step for step in STEPS if step >= median), None
    )


def test_answers_of_more_than_thirty_days_ago_are_forgotten():
    sheet = answered(*[30] * 5, at=NOW - timedelta(days=DAYS_KEPT - 1))
    assert sheet.replies_in(TODAY) == 60
    assert sheet.replies_in(TODAY + timedelta(days=1)) is None
    sheet.forget(TODAY)
    assert len(sheet.days) == 1
    sheet.forget(TODAY + timedelta(days=1))
    assert sheet.days == {}


def test_a_day_s_answers_are_few_counts_however_many_they_are():
    sheet = answered(*range(0, 90 * DAYS, 1000))
    [day] = sheet.days.values()
    assert set(day.replies) <= {*STEPS, LONGER}


# --- When they are back -------------------------------------------------------------------------

OFFICE = range(9, 17)


@pytest.mark.parametrize("days", range(5))
def test_fewer_than_five_days_tell_nothing(days):
    sheet = seen(*(hour(-n, 9) for n in range(1, days + 1)))
    sheet.saw(hour(0, 9))  # today is not over
    assert sheet.back_at(NOW) is None


def test_after_five_days_it_is_the_next_hour_that_is_usual():
    sheet = seen(*(hour(-n, h) for n in range(1, 6) for h in OFFICE))
    assert sheet.back_at(NOW) == hour(0, 15)
    assert sheet.back_at(hour(0, 16)) == hour(1, 9)
    assert sheet.back_at(hour(0, 8)) == hour(0, 9)
    assert sheet.back_at(hour(0, 23)) == hour(1, 9)


def test_half_of_the_days_are_enough_and_fewer_are_not():
    sheet = seen(*(hour(-n, 9) for n in range(1, 7)), *(hour(-n, 18) for n in range(1, 4)))
    assert sheet.back_at(NOW) == hour(0, 18)
    sheet.saw(hour(-7, 9))
    assert sheet.back_at(NOW) == hour(1, 9)


def test_who_keeps_no_hours_is_expected_at_none():
    sheet = seen(*(hour(-n, n) for n in range(1, 10)))
    assert sheet.back_at(NOW) is None


def test_after_two_weeks_a_day_is_compared_with_those_of_its_name():
    weekdays = [-n for n in range(1, 15) if hour(-n, 0).weekday() < 5]
    sheet = seen(*(hour(on, h) for on in weekdays for h in OFFICE))
    assert sheet.back_at(hour(0, 17)) == hour(3, 9), "on Monday, not on Saturday"
    assert sheet.back_at(NOW) == hour(0, 15)


def test_a_week_is_not_enough_to_tell_a_weekend():
    weekdays = [-n for n in range(1, 8) if hour(-n, 0).weekday() < 5]
    sheet = seen(*(hour(on, h) for on in weekdays for h in OFFICE))
    assert sheet.back_at(hour(0, 17)) == hour(1, 9)


def test_days_on_which_they_never_came_count_against_the_others_of_their_name():
    mondays = [on for on in range(-28, 0) if hour(on, 0).weekday() == 0]
    others = [on for on in range(-28, 0) if hour(on, 0).weekday() in {1, 2}]
    sheet = seen(*(hour(on, 9) for on in others), hour(mondays[0], 9))
    assert sheet.back_at(NOW) == hour(4, 9), "one Monday of four is not half of them"
    sheet.saw(hour(mondays[1], 9))
    assert sheet.back_at(NOW) == hour(3, 9)


def test_who_has_not_come_for_weeks_is_not_expected():
    sheet = seen(*(hour(-n, 9) for n in range(1, 6)))
    assert sheet.back_at(NOW + timedelta(days=8)) is not None
    assert sheet.back_at(NOW + timedelta(days=20)) is None
    assert sheet.back_at(NOW + timedelta(days=DAYS_KEPT)) is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 23)), max_size=300),
    st.integers(0, 23),
)
def test_whoever_is_expected_was_there_before_at_that_hour(there, now):
    sheet = seen(*(hour(-on, h) for on, h in there))
    at = sheet.back_at(hour(0, now))
    if at is not None:
        assert hour(0, now) < at <= hour(7, now)
        assert at.hour in {h for on, h in there if 0 < on < DAYS_KEPT}
    if len({on for on, _ in there if 0 < on < DAYS_KEPT}) < 5:
        assert at is None


# --- Adding up ----------------------------------------------------------------------------------


def test_an_hour_is_news_once():
    sheet = Timesheet()
    assert sheet.saw(NOW)
    assert not sheet.saw(NOW + timedelta(minutes=39))
    assert sheet.saw(NOW + timedelta(minutes=40))


def test_what_others_counted_is_added_and_theirs_stays_what_it_was():
    stored = answered(30, 30)
    stored.saw(NOW)
    sheet = answered(30, 30, 30)
    sheet.saw(hour(0, 9))
    sheet.add(stored.days)
    assert sheet.replies_in(TODAY) == 60
    assert sheet.days[TODAY].hours == 1 << 9 | 1 << 14
    assert stored.replies_in(TODAY) is None
