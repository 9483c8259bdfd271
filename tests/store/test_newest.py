"""Lists by time, where many entries share a moment."""

import time
from datetime import timedelta
from unittest.mock import Mock

import pytest

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
    for in windows that widen, as sellers' are: nine looks for each of them."""
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
