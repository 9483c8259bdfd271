from datetime import UTC, datetime, timedelta, timezone

import msgspec

from models import events
from models.errors import ChatError
from models.events import timestamp


def test_every_code_of_ours_is_one_of_the_contracts():
    codes = {error.code for error in ChatError.__subclasses__()}
    schema = msgspec.json.schema(events.ErrorData)["$defs"]["ErrorData"]
    assert codes == set(schema["properties"]["code"]["enum"])


# --- Times --------------------------------------------------------------------------------------


def test_a_time_is_told_in_utc_with_milliseconds():
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)) == "2026-01-02T03:04:05.678Z"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 0, UTC)) == "2026-01-02T03:04:05.000Z"


def test_a_time_from_elsewhere_is_told_in_utc():
    kabul = timezone(timedelta(hours=4, minutes=30))
    assert timestamp(datetime(2026, 3, 1, 3, 0, tzinfo=kabul)) == "2026-02-28T22:30:00.000Z"


def test_times_are_told_in_the_order_in_which_they_were():
    start = datetime(2028, 2, 28, 23, 59, 59, 998_000, UTC)
    told = [timestamp(start + timedelta(milliseconds=step)) for step in range(2000)]
    assert told == sorted(set(told))
