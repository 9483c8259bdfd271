from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.conversation import (
    Conversation,
    Identity,
    Participant,
    Place,
    Step,
    StoredMessage,
    check_may_talk,
    moment,
    pair_of,
    status_of,
)
from models.errors import Forbidden, Invalid

MAYA = Participant("Buyer", "maya")
LENA = Participant("Buyer", "lena")
OMAR = Participant("Seller", "omar")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def minutes(count):
    return NOON + timedelta(minutes=count)


def message(seq=1, sender=MAYA, recipient=OMAR):
    return StoredMessage(
        id="a" * 24,
        conversation_id="b" * 24,
        seq=seq,
        sender=sender.key,
        recipient=recipient.key,
        client_id="c",
        kind="general",
        subject=None,
        text="Hello",
        at=minutes(seq),
    )


def conversation(last_seq=3, maya=0, omar=0):
    places = (Place(MAYA.key, "Maya", read_seq=maya), Place(OMAR.key, "Omar", read_seq=omar))
    return Conversation("b" * 24, places, last_seq, message(last_seq), minutes(last_seq))


# --- People -------------------------------------------------------------------------------------

ids = st.text("ABCxyz019_.@-", min_size=1, max_size=64)
participants = st.builds(Participant, st.sampled_from(["Buyer", "Seller"]), ids)


@given(participants)
def test_a_key_leads_back_to_its_participant(participant):
    assert Participant.from_key(participant.key) == participant


@given(participants, participants, participants, participants)
def test_a_pair_names_two_people_whoever_comes_first_and_nobody_else(one, other, third, fourth):
    pair = pair_of(one.key, other.key)
    assert pair == pair_of(other.key, one.key)
    same = {one, other} == {third, fourth} and (one == other) == (third == fourth)
    assert (pair == pair_of(third.key, fourth.key)) == same


def test_all_but_guests_are_verified():
    assert MAYA.verified
    assert OMAR.verified
    assert not Participant("Buyer", "guest-5f").verified
    assert Participant("Seller", "guest-5f").verified  # such a seller cannot come about


def test_a_user_shows_no_more_of_an_identity_than_others_may_see():
    user = Identity(MAYA, "Maya", "session", 0, 1).user
    assert (user.id, user.type, user.name, user.verified) == ("maya", "Buyer", "Maya", True)
    assert not hasattr(user, "session")


@pytest.mark.parametrize("recipient", [OMAR, Participant("Seller", "maya")])
def test_buyers_write_to_sellers_and_sellers_to_all(recipient):
    check_may_talk(MAYA, recipient)
    check_may_talk(recipient, MAYA)
    check_may_talk(OMAR, Participant("Seller", "nils"))


def test_nobody_writes_to_themselves_and_no_buyer_to_a_buyer():
    for who in (MAYA, OMAR):
        with pytest.raises(Invalid) as refusal:
            check_may_talk(who, who)
        assert refusal.value.field == "recipient_id"
    with pytest.raises(Forbidden):
        check_may_talk(MAYA, LENA)


# --- A conversation's two places ----------------------------------------------------------------


def test_each_finds_their_own_place_and_the_others():
    talk = conversation()
    assert talk.keys == (MAYA.key, OMAR.key)
    assert talk.place_of(OMAR.key).name == "Omar"
    assert talk.peer_of(OMAR.key).name == "Maya"
    assert talk.peer_of(MAYA.key).name == "Omar"


def test_a_stranger_has_no_place():
    for ask in (conversation().place_of, conversation().peer_of, conversation().unread_of):
        with pytest.raises(KeyError):
            ask(LENA.key)


def test_a_message_from_before_a_handover_finds_its_side_by_type():
    guest = Participant("Buyer", "guest-5f")
    assert conversation().side_of(guest.key).key == MAYA.key
    assert conversation().side_of(OMAR.key).key == OMAR.key


def test_two_sellers_find_their_sides_by_key():
    nils = Participant("Seller", "nils")
    places = (Place(nils.key, "Nils"), Place(OMAR.key, "Omar"))
    talk = Conversation("b" * 24, places, 1, message(1, nils), NOON)
    assert talk.side_of(OMAR.key).name == "Omar"
    assert talk.side_of(nils.key).name == "Nils"


def test_unread_is_what_lies_above_the_own_watermark():
    talk = conversation(last_seq=5, maya=5, omar=2)
    assert talk.unread_of(MAYA.key) == 0
    assert talk.unread_of(OMAR.key) == 3


# --- Status -------------------------------------------------------------------------------------


def test_a_message_nobody_confirmed_is_sent():
    assert status_of(message(1), Place(OMAR.key, "Omar")) == ("sent", None, None)


def test_a_status_bears_the_time_of_the_step_that_passed_the_message():
    omar = Place(
        OMAR.key,
        "Omar",
        delivered_seq=9,
        read_seq=5,
        delivered=[Step(3, minutes(10)), Step(9, minutes(20))],
        read=[Step(2, minutes(12)), Step(5, minutes(30))],
    )
    assert status_of(message(2), omar) == ("read", minutes(10), minutes(12))
    assert status_of(message(4), omar) == ("read", minutes(20), minutes(30))
    assert status_of(message(5), omar) == ("read", minutes(20), minutes(30))
    assert status_of(message(6), omar) == ("delivered", minutes(20), None)
    assert status_of(message(10), omar) == ("sent", None, None)


def test_what_was_read_had_been_delivered_even_if_nobody_said_so():
    omar = Place(OMAR.key, "Omar", delivered_seq=2, read_seq=2, read=[Step(2, minutes(12))])
    assert status_of(message(1), omar) == ("read", minutes(12), minutes(12))
    omar.delivered = [Step(2, minutes(40))]
    assert status_of(message(1), omar) == ("read", minutes(12), minutes(12))


def test_a_status_follows_the_watermark_where_the_time_is_not_known():
    """Another process may have moved it, or a killed one may have lost the step."""
    omar = Place(OMAR.key, "Omar", delivered_seq=5, read_seq=2, delivered=[Step(3, minutes(10))])
    assert status_of(message(2), omar) == ("read", minutes(2), minutes(2))
    assert status_of(message(5), omar) == ("delivered", minutes(10), None)
    omar.delivered = []
    assert status_of(message(4), omar) == ("delivered", minutes(4), None)


steps = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 99)), max_size=6)


@given(st.integers(0, 9), st.integers(0, 9), steps, steps)
def test_a_status_is_what_the_watermarks_say(delivered_seq, read_seq, delivered, read):
    omar = Place(
        OMAR.key,
        "Omar",
        max(delivered_seq, read_seq),
        read_seq,
        sorted(Step(seq, minutes(at)) for seq, at in delivered),
        sorted(Step(seq, minutes(at)) for seq, at in read),
    )
    for seq in range(1, 10):
        status, delivered_at, read_at = status_of(message(seq), omar)
        expected = "read" if seq <= read_seq else "sent"
        if seq > read_seq and seq <= delivered_seq:
            expected = "delivered"
        assert status == expected
        assert (delivered_at is not None) == (status != "sent")
        assert (read_at is not None) == (status == "read")
        assert read_at is None or (delivered_at is not None and delivered_at <= read_at)


# --- Times --------------------------------------------------------------------------------------


@given(st.integers(0, 4_102_444_800_000))
def test_a_moment_has_whole_milliseconds(milliseconds):
    at = moment(milliseconds / 1000)
    assert at.tzinfo is UTC
    assert at.microsecond % 1000 == 0
    assert abs(at.timestamp() * 1000 - milliseconds) < 1.5


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_moments_keep_the_order_of_the_clock(one, other):
    assert (moment(one) <= moment(other)) or one > other
