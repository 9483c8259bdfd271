"""Lists by time, where many entries share a moment."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import store as store_module
from models import store_windows
from models.conversation import moment
from models.store import Cursor, new_id
from models.store_documents import message_from
from tests.store.cast import LENA, NILS, NOON, OMAR, conversation, identity, message


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(store_windows, "WINDOW_ENTRIES", 8)


@pytest.mark.parametrize("apart", [0, 1, 700, 90_000], ids=lambda ms: f"{ms} ms apart")
async def test_pages_hold_everything_once_and_the_newest_first(store, small_windows, apart):
    conversation_id = new_id()
    told = [
        message(conversation_id, seq, at=NOON + timedelta(milliseconds=seq // 3 * apart))
        for seq in range(1, 61)
    ]
    await store.insert_messages(told)
    found, before = [], None
    for _ in range(40):
        page = await store.messages_of(OMAR.key, "recipient", before=before, limit=3)
        found += page
        if len(page) < 3:
            break
        before = Cursor(page[-1].at, page[-1].id)
    assert found == sorted(told, key=lambda m: (m.at, m.id), reverse=True)


async def test_a_page_out_of_many_reads_few(store, small_windows, monkeypatch):
    conversation_id = new_id()
    start = moment(time.time() - 2)
    await store.insert_messages(
        [
            message(conversation_id, seq, at=start + timedelta(milliseconds=seq))
            for seq in range(1, 1001)
        ]
    )
    read = []

    def counted(document):
        read.append(document)
        return message_from(document)

    monkeypatch.setattr(store_module, "message_from", counted)
    newest = await store.messages_of(OMAR.key, "recipient", before=None, limit=2)
    assert [m.seq for m in newest] == [1000, 999]
    assert len(read) < 300


async def test_a_buyer_s_few_are_found_by_one_look(store, monkeypatch):
    """All who were connected come back at once after a restart. Fails when their lists are looked
    for in windows of time, as sellers' are: six looks for each of them."""
    told = [
        conversation(LENA, seller, messages=1, at=NOON - timedelta(days=days))
        for seller, days in ((OMAR, 0), (NILS, 900))
    ]
    await store.insert_conversations(told)
    looks = Mock(wraps=store._driver)
    monkeypatch.setattr(store, "_driver", looks)
    assert await store.conversations_of(LENA.key, before=None, limit=100) == told
    assert looks.call_count == 1


async def test_a_buyer_with_many_pages_through_all(store, small_windows):
    told = [
        conversation(LENA, identity("Seller", f"s{n}"), messages=1, at=NOON - timedelta(days=n**3))
        for n in range(12)
    ]
    await store.insert_conversations(told)
    found, before = [], None
    for _ in told:
        page = await store.conversations_of(LENA.key, before=before, limit=2)
        found += page
        if len(page) < 2:
            break
        before = Cursor(page[-1].updated_at, page[-1].id)
    assert found == told


def now():
    return datetime.now(UTC).replace(microsecond=0)


class Shelf:
    """Entries at given moments, read as from an index of the database: the oldest first."""

    def __init__(self, moments, *, seconds=0):
        self.entries = [(at, number) for number, at in enumerate(sorted(moments))]
        self.seconds = seconds  # that a look takes
        self.looks = 0

    async def page(self, limit, before=None, is_wanted=lambda entry: True):
        return await store_windows.newest(
            self._read,
            lambda entry: Cursor(entry[0], f"{entry[1]:06}"),
            is_wanted,
            before=before,
            limit=limit,
        )

    async def _read(self, low, high, most):
        self.looks += 1
        if self.seconds:
            await asyncio.sleep(self.seconds)
        found = [entry for entry in self.entries if low <= entry[0] < high]
        return found[:most] if most else found


AGO = st.one_of(
    st.integers(0, 5000),  # milliseconds: many in a window, and several at once
    st.integers(0, 3 * 365 * 24 * 3600).map(lambda seconds: 1000 * seconds),
)


@given(
    ago=st.lists(AGO, max_size=60),
    limit=st.integers(1, 12),
    every=st.integers(1, 4),
    window=st.sampled_from([3, 200]),
)
def test_whatever_lies_where_pages_hold_it_once_and_the_newest_first(ago, limit, every, window):
    asyncio.run(_page_through(ago, limit, every, window))


async def _page_through(ago, limit, every, window):
    shelf = Shelf([now() - timedelta(milliseconds=one) for one in ago])
    found, before = [], None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_windows, "WINDOW_ENTRIES", window)
        for _ in range(61):
            page = await shelf.page(limit, before, lambda entry: entry[1] % every == 0)
            found += page
            if len(page) < limit:
                break
            before = Cursor(page[-1][0], f"{page[-1][1]:06}")
    assert found == [entry for entry in reversed(shelf.entries) if entry[1] % every == 0]


@pytest.mark.parametrize(
    ("a_day", "looks"), [(0.01, 6), (1, 4), (10, 3), (50, 3)], ids=lambda n: f"{n}"
)
async def test_a_page_takes_few_looks_however_busy_a_shop_is(a_day, looks):
    """Fails with windows that grow by a fixed factor: ten, six, five and four."""
    apart = timedelta(days=1) / a_day
    begun = now()
    shelf = Shelf([begun - number * apart for number in range(min(20_000, int(365 * a_day)))])
    assert len(await shelf.page(31)) == min(31, len(shelf.entries))
    assert shelf.looks <= looks


@pytest.mark.parametrize("apart", [timedelta(seconds=9), timedelta(days=1)], ids=str)
async def test_a_last_page_that_is_nearly_full_takes_few_looks(apart):
    """Fails where only what is missing decides how much further back the next look goes: 44."""
    begun = now()
    shelf = Shelf([begun - number * apart for number in range(30)])
    assert len(await shelf.page(31)) == 30
    assert shelf.looks <= 8


async def test_much_that_lies_ahead_of_the_clock_is_found_soon():
    """The clock was stepped back by an hour. Fails where a window is cut at this moment, and what
    is ahead of it again at that moment: without end."""
    begun = now()
    shelf = Shelf([begun + timedelta(seconds=number) for number in range(3600)], seconds=0.002)
    async with asyncio.timeout(5):
        page = await shelf.page(31)
    assert page == shelf.entries[:-32:-1]
    assert shelf.looks <= 20
