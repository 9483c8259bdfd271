import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import TYPING_SECONDS
from models.presence import GRACE_SECONDS, Composing, Presence, TypingBoard

MAYA, LENA, OMAR, NILS = "Buyer:maya", "Buyer:lena", "Seller:omar", "Seller:nils"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def presence(clock):
    return Presence(now=clock)


@pytest.fixture
def board(clock):
    return TypingBoard(now=clock)


def remembers_nobody(presence):
    return not (presence._here or presence._partners or presence._partner_of or presence._visitors)


# --- Coming and going ---------------------------------------------------------------------------


def test_only_the_first_socket_is_an_arrival_and_only_the_last_a_departure(presence):
    assert presence.arrive(MAYA, "Maya")
    assert not presence.arrive(MAYA, "Maya")
    assert not presence.leave(MAYA)
    assert presence.leave(MAYA)


def test_a_change_of_page_shows_nothing(presence, clock):
    presence.arrive(MAYA, "Maya")
    presence.leave(MAYA)
    clock.now += GRACE_SECONDS - 0.1
    assert presence.gone() == {}
    assert presence.status_of(MAYA) == "online"
    assert not presence.arrive(MAYA, "Maya"), "she never went"
    clock.now += 10 * GRACE_SECONDS
    assert presence.gone() == {}


def test_who_is_gone_is_told_with_what_they_were_seen_as(presence, clock):
    for key, status in ((MAYA, "away"), (OMAR, "offline")):
        presence.arrive(key, key)
        presence.set_status(key, status)
        presence.leave(key)
    clock.now += GRACE_SECONDS
    assert presence.gone() == {MAYA: "away", OMAR: "offline"}


def test_who_stays_away_is_gone_once(presence, clock):
    presence.arrive(MAYA, "Maya")
    presence.leave(MAYA)
    clock.now += GRACE_SECONDS
    assert presence.gone() == {MAYA: "online"}
    assert presence.gone() == {}
    assert presence.status_of(MAYA) == "offline"
    assert not presence.is_here(MAYA)
    assert presence.name_of(MAYA) is None
    assert presence.arrive(MAYA, "Maya")


def test_each_departure_begins_a_grace_of_its_own(presence, clock):
    presence.arrive(MAYA, "Maya")
    presence.leave(MAYA)
    clock.now += GRACE_SECONDS - 1
    presence.arrive(MAYA, "Maya")
    presence.leave(MAYA)
    clock.now += GRACE_SECONDS - 1
    assert presence.gone() == {}
    clock.now += 1
    assert presence.gone() == {MAYA: "online"}


def test_leaving_without_having_come_does_nothing(presence):
    assert not presence.leave(MAYA)
    assert presence.gone() == {}


def test_the_latest_name_counts(presence):
    presence.arrive(MAYA, "M.")
    presence.arrive(MAYA, "Maya")
    assert presence.name_of(MAYA) == "Maya"


# --- Status -------------------------------------------------------------------------------------


def test_a_status_lasts_through_the_grace_and_ends_with_it(presence, clock):
    presence.arrive(OMAR, "Omar")
    assert presence.set_status(OMAR, "away")
    assert not presence.set_status(OMAR, "away"), "that is no change"
    presence.leave(OMAR)
    presence.arrive(OMAR, "Omar")
    assert presence.status_of(OMAR) == "away"
    presence.leave(OMAR)
    clock.now += GRACE_SECONDS
    presence.gone()
    presence.arrive(OMAR, "Omar")
    assert presence.status_of(OMAR) == "online"


def test_who_is_invisible_is_here_all_the_same(presence):
    presence.arrive(OMAR, "Omar")
    presence.set_status(OMAR, "offline")
    assert presence.status_of(OMAR) == "offline"
    assert presence.is_here(OMAR)


def test_who_is_not_here_has_no_status_to_set(presence):
    assert not presence.set_status(OMAR, "away")
    assert presence.status_of(OMAR) == "offline"


# --- Who may know -------------------------------------------------------------------------------


def test_those_who_share_a_conversation_see_each_other_whoever_came_first(presence):
    presence.arrive(MAYA, "Maya")
    presence.share(MAYA, [OMAR])
    assert presence.watchers_of(OMAR) == {MAYA}
    assert presence.watchers_of(MAYA) == {OMAR}
    presence.arrive(OMAR, "Omar")
    presence.share(OMAR, [MAYA, LENA])
    assert presence.watchers_of(OMAR) == {MAYA, LENA}
    assert presence.visible_to(MAYA) == {OMAR}


def test_strangers_see_nothing(presence):
    presence.arrive(MAYA, "Maya")
    presence.share(MAYA, [OMAR])
    assert presence.watchers_of(LENA) == set()
    assert LENA not in presence.watchers_of(OMAR) | presence.watchers_of(MAYA)


def test_a_buyer_on_a_sellers_page_sees_that_seller_and_is_not_seen(presence):
    presence.arrive(MAYA, "Maya")
    presence.visit(MAYA, OMAR)
    assert presence.watchers_of(OMAR) == {MAYA}
    assert presence.watchers_of(MAYA) == set()


def test_a_visit_ends_with_the_last_page(presence):
    presence.visit(MAYA, OMAR)
    presence.visit(MAYA, OMAR)
    presence.end_visit(MAYA, OMAR)
    assert presence.watchers_of(OMAR) == {MAYA}
    presence.end_visit(MAYA, OMAR)
    assert presence.watchers_of(OMAR) == set()
    assert remembers_nobody(presence)


def test_who_is_gone_can_be_told_of_until_they_are_forgotten(presence, clock):
    presence.arrive(MAYA, "Maya")
    presence.share(MAYA, [OMAR, NILS])
    presence.leave(MAYA)
    clock.now += GRACE_SECONDS
    assert presence.gone() == {MAYA: "online"}
    assert presence.watchers_of(MAYA) == {OMAR, NILS}
    presence.forget(MAYA)
    assert presence.watchers_of(MAYA) == set()
    assert remembers_nobody(presence)


def test_forgetting_one_side_leaves_what_the_other_knows(presence, clock):
    for key, partner in ((MAYA, OMAR), (OMAR, MAYA)):
        presence.arrive(key, key)
        presence.share(key, [partner])
    presence.leave(MAYA)
    clock.now += GRACE_SECONDS
    for key in presence.gone():
        presence.forget(key)
    assert presence.watchers_of(MAYA) == {OMAR}, "Omar is here and shares a conversation"
    assert presence.visible_to(OMAR) == {MAYA}


people = st.sampled_from([MAYA, LENA, OMAR])


@given(st.lists(st.tuples(st.sampled_from(["arrive", "leave", "wait", "long wait"]), people)))
def test_somebody_is_here_while_a_socket_is_or_the_grace_lasts(operations):
    clock = Clock()
    presence = Presence(now=clock)
    sockets, left_at = dict.fromkeys((MAYA, LENA, OMAR), 0), {}
    for operation, who in operations:
        if operation == "arrive":
            presence.arrive(who, who)
            presence.share(who, [OMAR])
            sockets[who] += 1
        elif operation == "leave" and sockets[who]:
            presence.leave(who)
            sockets[who] -= 1
            left_at[who] = clock.now
        else:
            clock.now += GRACE_SECONDS if operation == "long wait" else 1
        for key in presence.gone():
            presence.forget(key)
        for key, count in sockets.items():
            lasts = clock.now < left_at.get(key, -GRACE_SECONDS) + GRACE_SECONDS
            assert presence.is_here(key) == (count > 0 or lasts)
    clock.now += GRACE_SECONDS
    for key, count in sockets.items():
        for _ in range(count):
            presence.leave(key)
    clock.now += GRACE_SECONDS
    for key in presence.gone():
        presence.forget(key)
    assert remembers_nobody(presence)


# --- Typing -------------------------------------------------------------------------------------


def composing(typist=MAYA, recipient=OMAR):
    return Composing(typist, typist, recipient, None)


def test_typing_ends_by_itself_once(board, clock):
    board.start(composing())
    clock.now += TYPING_SECONDS - 0.1
    assert board.over() == []
    clock.now += 0.1
    assert board.over() == [composing()]
    assert board.over() == []


def test_typing_on_lasts_from_the_latest_stroke(board, clock):
    for _ in range(5):
        board.start(composing())
        clock.now += TYPING_SECONDS - 1
    assert board.over() == []
    clock.now += 1
    assert board.over() == [composing()]


def test_typing_ends_when_it_is_said_so_and_only_if_it_was_on(board):
    assert board.stop(MAYA, OMAR) == []
    board.start(composing())
    board.start(composing(recipient=NILS))
    assert board.stop(MAYA, OMAR) == [composing()]
    assert board.stop(MAYA, OMAR) == []
    assert board.stop(MAYA, NILS) == [composing(recipient=NILS)]


def test_typing_one_way_says_nothing_of_the_other(board):
    board.start(composing(MAYA, OMAR))
    assert board.stop(OMAR, MAYA) == []
    assert board.stop(MAYA, OMAR) == [composing()]


def test_all_of_a_typists_end_together_and_nobody_elses(board, clock):
    board.start(composing(MAYA, OMAR))
    board.start(composing(MAYA, NILS))
    board.start(composing(LENA, OMAR))
    assert set(board.stop_all(MAYA)) == {composing(MAYA, OMAR), composing(MAYA, NILS)}
    assert board.stop_all(MAYA) == []
    clock.now += TYPING_SECONDS
    assert board.over() == [composing(LENA, OMAR)]
    assert not board._until
