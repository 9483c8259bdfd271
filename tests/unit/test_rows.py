import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers import rows, views
from handlers.languages import spoken
from models.events import (
    Conversation,
    ConversationPage,
    ConversationParticipant,
    Message,
    Seller,
    User,
)

TESTS = Path(__file__).parents[1]
CASES = json.loads((TESTS / "rows.json").read_text())
PEOPLE = json.loads((TESTS / "people.json").read_text())
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
ENGLISH = spoken("en")
TALK = "a" * 24
MAYA = User("maya", "Buyer", "Maya Okoro", True)
OMAR = User("omar", "Seller", "Omar", True)


def message(seq=1, sender=MAYA, *, text="Hello", at="2026-01-02T10:00:00.000Z", **rest):
    recipient = OMAR if sender is MAYA else MAYA
    fields = {"subject": None, "message_type": "general", "status": "sent"} | rest
    return Message(
        id=f"{seq:024x}",
        conversation_id=TALK,
        seq=seq,
        client_id=f"c{seq}",
        sender_id=sender.id,
        sender_type=sender.type,
        sender_name=sender.name,
        recipient_id=recipient.id,
        recipient_type=recipient.type,
        message=text,
        message_html=text,
        created_at=at,
        delivered_at=None,
        read_at=None,
        **fields,
    )


def conversation(last, *, unread=0, status="online"):
    def place(user):
        first_seen = "2026-01-01T09:00:00.000Z"
        return ConversationParticipant(
            user.id, user.type, user.name, user.verified, 0, 0, status, first_seen, None
        )

    at = "2026-01-02T10:00:00.000Z"
    return Conversation(TALK, [place(MAYA), place(OMAR)], 1, last.seq, last, unread, at)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_rows_are_grouped_as_the_browser_groups_them(case):
    messages = [
        message(
            seq,
            OMAR if given["by"] == "mine" else MAYA,
            at=given["at"],
            status=given.get("status", "sent"),
            message_type=given.get("kind", "general"),
        )
        for seq, given in enumerate(case["messages"], start=1)
    ]
    read_seq = case.get("read_seq", len(messages))
    found = []
    for row in rows.message_rows(messages, OMAR, read_seq=read_seq, language=ENGLISH, now=NOW):
        found += ["day"] * bool(row.day) + ["new"] * row.begins_new
        found.append(f"{row.group} {'shown' if row.shows_time else 'hidden'}")
    assert found == case["rows"]


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-01-10T00:00:00.000Z", "Today"),
        ("2026-01-09T23:59:59.999Z", "Yesterday"),
        ("2026-01-08T10:00:00.000Z", "Thursday 8 January"),
        ("2025-12-24T10:00:00.000Z", "Wednesday, 24 December 2025"),
    ],
)
def test_days_have_names(at, day):
    [row] = rows.message_rows([message(at=at)], OMAR, read_seq=1, language=ENGLISH, now=NOW)
    assert row.day == day


def test_a_stretch_that_begins_after_the_last_read_one_has_no_new_line():
    shown = rows.message_rows([message(7), message(8)], OMAR, read_seq=3, language=ENGLISH, now=NOW)
    assert not any(row.begins_new for row in shown)


@pytest.mark.parametrize("text", ["😍😍", "👍🏽", "👨‍👩‍👧", "❤️ ☕", "🇩🇪", "😀" * 6])
def test_a_few_emoji_alone_are_shown_large(text):
    assert rows.is_emoji_alone(text)


@pytest.mark.parametrize("text", ["", "hi", "12", "😀 hi", "😀" * 7, "…", "©", "😀" * 4000])
def test_anything_else_is_text(text):
    assert not rows.is_emoji_alone(text)


@pytest.mark.parametrize("given", PEOPLE, ids=[given["id"] for given in PEOPLE])
def test_people_are_shown_as_the_browser_shows_them(given):
    verified = not given["id"].startswith("guest-")
    shown = rows.person(User(given["id"], given["type"], given["name"], verified), ENGLISH)
    assert (shown.name, shown.initials) == (given["shown"], given["initials"])
    assert (shown.sealed, shown.tone) == (given["sealed"], given["tone"])


def test_somebody_keeps_one_colour():
    assert (
        rows.person(MAYA, ENGLISH).tone
        == rows.person(User("maya", "Buyer", "M", True), ENGLISH).tone
    )
    assert 1 <= rows.person(MAYA, ENGLISH).tone <= rows.TONES


def test_a_seller_brings_their_own_presence():
    seller = Seller("omar", "Seller", "Omar", "away", None)
    assert rows.person(seller, ENGLISH).status == "away"


def test_a_thread_knows_what_was_read_and_that_there_is_more():
    last = message(9)
    page = ConversationPage(conversation(last, unread=2), [message(8), last], True)
    shown = rows.thread(
        page, OMAR, rows.person(MAYA, ENGLISH), "/inbox/x", language=ENGLISH, now=NOW
    )
    assert (shown.read_seq, shown.last_seq, shown.has_more, shown.has_newer) == (7, 9, True, False)
    assert shown.rows[0].begins_new
    assert shown.first_seen is not None
    assert shown.first_seen.short == "1 January"


def test_an_older_page_says_that_there_are_newer_ones():
    page = ConversationPage(conversation(message(9)), [message(3), message(4)], True)
    assert rows.thread(
        page, OMAR, rows.person(MAYA, ENGLISH), "/inbox/x", language=ENGLISH, now=NOW
    ).has_newer


def test_each_form_has_a_client_id_of_its_own():
    one, other = (
        rows.thread(None, None, views.nobody(), "/", language=ENGLISH, now=NOW) for _ in range(2)
    )
    assert one.client_id != other.client_id
    assert not one.rows


def test_a_row_of_the_list_shows_the_other_side_and_whose_word_is_the_last():
    theirs = rows.conversation_row(
        conversation(message()), OMAR, open_id=None, language=ENGLISH, now=NOW
    )
    assert (theirs.peer.id, theirs.preview_status, theirs.is_open) == ("maya", None, False)
    mine = message(sender=OMAR, status="read")
    row = rows.conversation_row(
        conversation(mine, unread=3), OMAR, open_id=TALK, language=ENGLISH, now=NOW
    )
    assert (row.peer.id, row.preview_status, row.unread, row.is_open) == ("maya", "read", 3, True)
