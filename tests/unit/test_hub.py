import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.conversation import Identity, Participant
from models.hub import FRAME_EVENTS, OUTBOX_BYTES, SESSION_ENDED, TOO_SLOW, Connection, Hub, Outbox

MAYA = Participant("Buyer", "maya")
LENA = Participant("Buyer", "lena")
OMAR = Participant("Seller", "omar")
ROOM = "a" * 24


class Socket(Connection):
    """A connection that remembers what its door was told."""

    def __init__(self, participant=MAYA, *, limit=OUTBOX_BYTES, session="s"):
        self.wakes = 0
        self.closed: list[int] = []
        who = Identity(participant, participant.id, session, 0, 2**40)
        super().__init__(who, wake=self._count, close=self._note, limit=limit)

    def _count(self):
        self.wakes += 1

    def _note(self, code, reason):
        self.closed.append(code)

    @property
    def frames(self):
        """All that waits, as its client will see it."""
        taken = iter(self.outbox.take, None)
        return [one for frame in taken for one in as_list(json.loads(frame))]


def as_list(frame):
    return frame if isinstance(frame, list) else [frame]


def event(number, size=0):
    return json.dumps({"n": number, "fill": "x" * size}).encode()


def numbers(socket):
    return [frame["n"] for frame in socket.frames]


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def joined(hub):
    """Opens and registers a socket."""

    def join(participant=MAYA, **options):
        socket = Socket(participant, **options)
        hub.connect(socket)
        socket.registered = True
        return socket

    return join


# --- The outbox ---------------------------------------------------------------------------------


def test_an_empty_outbox_has_no_frame():
    assert Outbox().take() is None


def test_one_event_is_a_frame_of_its_own_and_several_are_an_array():
    outbox = Outbox()
    outbox.put(event(1))
    assert outbox.take() == event(1)
    outbox.put(event(2))
    outbox.put(event(3))
    assert json.loads(outbox.take() or b"") == [json.loads(event(2)), json.loads(event(3))]
    assert outbox.take() is None


def test_a_frame_has_an_end_however_much_waits():
    outbox = Outbox()
    for number in range(2 * FRAME_EVENTS + 1):
        outbox.put(event(number))
    sizes = [len(as_list(json.loads(frame))) for frame in iter(outbox.take, None)]
    assert sizes == [FRAME_EVENTS, FRAME_EVENTS, 1]
    assert outbox.bytes == 0


def test_the_bound_is_in_bytes_and_the_event_that_passes_it_is_refused():
    outbox = Outbox(limit=100)
    assert all(outbox.put(b"x" * 10) for _ in range(10))
    assert outbox.bytes == 100
    assert not outbox.put(b"x")


def test_what_was_taken_makes_room():
    outbox = Outbox(limit=100)
    for _ in range(50):
        assert outbox.put(b"x" * 60)
        assert outbox.take() == b"x" * 60


def test_typing_and_presence_are_left_out_once_half_the_bound_waits():
    outbox = Outbox(limit=100)
    assert outbox.put(b"m" * 40)
    assert outbox.put(b"t" * 10, droppable=True)
    assert outbox.is_half_empty
    assert outbox.put(b"t", droppable=True), "leaving out is no reason to close"
    assert outbox.bytes == 50
    assert outbox.put(b"m")
    assert not outbox.is_half_empty
    assert outbox.put(b"t", droppable=True)
    assert outbox.take() == b"[" + b",".join([b"m" * 40, b"t" * 10, b"m"]) + b"]"


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.booleans()), max_size=60))
def test_messages_come_out_all_and_in_order(operations):
    outbox, messages, taken = Outbox(limit=300), [], []
    for number, (size, droppable, take) in enumerate(operations):
        if outbox.put(event(number, size), droppable=droppable) and not droppable:
            messages.append(number)
        if take:
            taken += as_list(json.loads(outbox.take() or b"[]"))
        assert outbox.bytes <= 300
    taken += [json.loads(one) for one in outbox.empty()]
    came = [one["n"] for one in taken]
    assert came == sorted(came)
    assert [number for number in came if not operations[number][1]] == messages
    assert outbox.bytes == 0


# --- One connection -----------------------------------------------------------------------------


def test_who_reads_too_slowly_is_closed_once_and_costs_nothing_more():
    socket = Socket(limit=1000)
    for number in range(1000):
        socket.push(event(number, 100))
        assert socket.outbox.bytes <= 1000
    assert socket.closed == [TOO_SLOW]
    assert socket.outbox.bytes == 0
    assert socket.outbox.take() is None


def test_a_flood_of_typing_closes_nobody():
    socket = Socket(limit=1000)
    for number in range(1000):
        socket.push(event(number), droppable=True)
    assert socket.closed == []
    assert 0 < socket.outbox.bytes <= 500


def test_every_event_wakes_the_writer():
    socket = Socket()
    socket.push(event(1))
    socket.answer(event(2))
    assert socket.wakes == 2


def test_live_events_wait_behind_a_replay():
    socket = Socket()
    socket.hold()
    socket.push(event(4))
    socket.answer(event(1))
    socket.hold()  # registering again must not lose what is held
    socket.push(event(5))
    socket.answer(event(2))
    assert numbers(socket) == [1, 2]
    socket.answer(event(3))
    socket.release()
    socket.push(event(6))
    assert numbers(socket) == [3, 4, 5, 6]
    socket.release()
    assert numbers(socket) == []


def test_what_is_held_back_is_bounded_as_well():
    socket = Socket(limit=1000)
    socket.hold()
    for number in range(1000):
        socket.push(event(number), droppable=True)
    assert socket.closed == []
    for number in range(1000):
        socket.push(event(number, 100))
        if socket.closed:
            break
    assert socket.closed == [TOO_SLOW]
    assert number < 10
    socket.release()
    assert socket.outbox.take() is None


def test_a_closing_connection_takes_nothing_more():
    socket = Socket()
    socket.push(event(1))
    socket.close(1012, "restart")
    socket.push(event(2))
    socket.answer(event(3))
    assert socket.frames == []
    socket.close(TOO_SLOW, "twice")
    assert socket.closed == [1012]


# --- The hub ------------------------------------------------------------------------------------


def test_an_event_reaches_every_socket_of_those_named_but_the_one_that_asked(hub, joined):
    phone, desk, lena, omar = joined(MAYA), joined(MAYA), joined(LENA), joined(OMAR)
    hub.publish([MAYA.key, OMAR.key, OMAR.key], event(1), but=phone)
    assert numbers(phone) == []
    assert numbers(desk) == [1]
    assert numbers(omar) == [1]
    assert numbers(lena) == []


def test_nothing_reaches_a_socket_before_it_is_registered_or_after_it_is_gone(hub, joined):
    early = Socket(MAYA)
    hub.connect(early)
    late = joined(MAYA)
    hub.disconnect(late)
    hub.publish([MAYA.key], event(1))
    assert numbers(early) == numbers(late) == []


def test_a_buyer_and_a_seller_of_one_id_are_two_people(hub, joined):
    buyer, seller = joined(Participant("Buyer", "kim")), joined(Participant("Seller", "kim"))
    hub.publish(["Seller:kim"], event(1))
    assert (numbers(buyer), numbers(seller)) == ([], [1])


def test_one_stuck_reader_costs_the_others_nothing(hub, joined):
    stuck, quick = joined(MAYA, limit=1000), joined(MAYA, limit=1000)
    received = []
    for number in range(200):
        hub.publish([MAYA.key], event(number, 50))
        received += numbers(quick)
    assert received == list(range(200))
    assert stuck.closed == [TOO_SLOW]
    assert quick.closed == []


def test_a_socket_may_go_while_an_event_goes_round(hub, joined):
    sockets = [joined(MAYA, limit=10) for _ in range(5)]
    for socket in sockets:
        socket._close = lambda code, reason, socket=socket: hub.disconnect(socket)
    hub.publish([MAYA.key], event(1))
    assert hub.count == 0


def test_sockets_are_counted_open_and_registered(hub, joined):
    first = Socket(MAYA)
    hub.connect(first)
    assert (hub.count, hub.open_of(MAYA.key), hub.registered_of(MAYA.key)) == (1, 1, [])
    second = joined(MAYA)
    assert (hub.count, hub.open_of(MAYA.key), hub.registered_of(MAYA.key)) == (2, 2, [second])
    assert set(hub.everybody()) == {first, second}
    assert (hub.open_of(OMAR.key), hub.registered_of(OMAR.key)) == (0, [])


def test_a_room_has_those_who_joined_and_have_not_left(hub, joined):
    maya, omar = joined(MAYA), joined(OMAR)
    hub.join(ROOM, maya)
    hub.join(ROOM, maya)
    hub.join(ROOM, omar)
    assert hub.in_room(ROOM) == {maya, omar}
    hub.leave(ROOM, omar)
    hub.leave(ROOM, omar)
    assert hub.in_room(ROOM) == {maya}
    hub.disconnect(maya)
    assert hub.in_room(ROOM) == set()


def test_a_socket_that_went_while_its_question_was_answered_joins_nothing(hub, joined):
    maya = joined(MAYA)
    hub.disconnect(maya)
    hub.join(ROOM, maya)
    assert hub.in_room(ROOM) == set()
    assert is_empty(hub)


def test_those_whose_session_ended_are_closed(hub, joined):
    old, new = joined(MAYA, session="old"), joined(MAYA, session="new")
    hub.close_refused(lambda who: who.session == "old")
    assert (old.closed, new.closed) == ([SESSION_ENDED], [])


def test_the_hub_is_quiet_when_all_is_answered_and_taken(hub, joined):
    maya, stuck = joined(MAYA), joined(LENA, limit=10)
    assert hub.is_quiet
    maya.unanswered += 1
    assert not hub.is_quiet
    maya.unanswered -= 1
    maya.answer(event(1))
    assert not hub.is_quiet
    maya.outbox.take()
    stuck.push(event(2))
    assert stuck.closed
    assert hub.is_quiet, "nobody waits for a reader that was let go"


def is_empty(hub):
    return not (hub.count or hub._of or hub._rooms or list(hub.everybody()))


def test_a_hundred_dropped_sockets_leave_the_hub_empty(hub, joined):
    people = [MAYA, LENA, OMAR, Participant("Seller", "nils")]
    sockets = [joined(people[number % 4]) for number in range(100)]
    for number, socket in enumerate(sockets):
        hub.join(f"room {number % 7}", socket)
        hub.join(f"room {number % 5}", socket)
        hub.publish([socket.who.key], event(number))
    assert hub.count == 100
    for socket in [*sockets, *reversed(sockets)]:  # once more: it may be told twice
        hub.disconnect(socket)
    assert is_empty(hub)
    hub.publish([person.key for person in people], event(1))
    hub.leave("room 1", sockets[0])
    assert hub.in_room("room 1") == set()
    assert is_empty(hub)
