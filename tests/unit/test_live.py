import json
from datetime import UTC, datetime

import pytest

from models.codec import encode_event
from models.conversation import Identity, Participant
from models.events import TYPING_SECONDS
from models.hub import Connection, Hub
from models.live import Live
from models.presence import GRACE_SECONDS, Presence, TypingBoard

MAYA = Participant("Buyer", "maya")
LENA = Participant("Buyer", "lena")
OMAR = Participant("Seller", "omar")
NAMES = {MAYA: "Maya", LENA: "Lena", OMAR: "Omar"}
START = datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


class Scene:
    """Live with a hub and a clock of its own."""

    def __init__(self):
        self.clock = Clock()
        self.hub = Hub()
        presence, board = Presence(now=self.clock), TypingBoard(now=self.clock)
        self.live = Live(self.hub, presence, board, now=self.clock)

    def join(self, who, *partners, seller=None):
        identity = Identity(who, NAMES[who], "session", 0, 2**40)
        socket = Connection(identity, wake=lambda: None, close=lambda code, reason: None)
        self.hub.connect(socket)
        socket.registered = True
        self.live.arrive(socket, [partner.key for partner in partners])
        self.live.visit(socket, seller and seller.key)
        return socket

    def drop(self, socket):
        self.hub.disconnect(socket)
        self.live.leave(socket)


@pytest.fixture
def scene():
    return Scene()


def heard(socket):
    """What came to a socket since the last call: who is what, and who composes or stopped."""
    found = []
    for raw in socket.outbox.empty():
        frame = json.loads(raw)
        data = frame["data"]
        if frame["event"] == "user_status_changed":
            found.append((data["user_id"], data["status"]))
        else:
            found.append((data["sender_id"], data["is_typing"]))
    return found


def online(scene, socket):
    event = json.loads(encode_event(scene.live.online_users(socket)))
    return [(user["id"], user["name"], user["status"]) for user in event["data"]["users"]]


def test_partners_are_told_who_comes_and_strangers_are_not(scene):
    omar, lena = scene.join(OMAR, MAYA), scene.join(LENA)
    maya = scene.join(MAYA, OMAR)
    assert heard(omar) == [("maya", "online")]
    assert heard(lena) == []
    assert heard(maya) == []
    scene.join(MAYA, OMAR)
    assert heard(omar) == [], "a second socket is no news"


def test_partners_are_told_who_stays_away_after_the_grace(scene):
    omar, maya = scene.join(OMAR, MAYA), scene.join(MAYA, OMAR)
    heard(omar)
    scene.drop(maya)
    scene.clock.now += GRACE_SECONDS - 1
    assert scene.live.tick() == {}
    assert heard(omar) == []
    scene.clock.now += 1
    assert scene.live.tick() == {MAYA.key: datetime.fromtimestamp(scene.clock.now, UTC)}
    assert heard(omar) == [("maya", "offline")]
    assert scene.live.tick() == {}


def test_a_buyer_on_a_sellers_page_is_told_of_that_seller_only(scene):
    lena = scene.join(LENA, seller=OMAR)
    maya = scene.join(MAYA)
    omar = scene.join(OMAR)
    assert heard(lena) == [("omar", "online")]
    assert heard(maya) == []
    assert heard(omar) == []
    assert online(scene, lena) == [("omar", "Omar", "online")]
    assert online(scene, omar) == []
    scene.live.visit(lena, None)
    scene.live.set_status(OMAR.key, "away")
    assert heard(lena) == []


def test_who_is_invisible_looks_as_if_they_were_not_there(scene):
    omar, maya = scene.join(OMAR, MAYA), scene.join(MAYA, OMAR)
    heard(maya)
    scene.live.set_status(OMAR.key, "offline")
    assert heard(maya) == [("omar", "offline")]
    assert online(scene, maya) == []
    assert online(scene, omar) == [("maya", "Maya", "online")]


def test_who_is_invisible_speaks_without_being_seen(scene):
    maya, omar = scene.join(MAYA), scene.join(OMAR)
    scene.live.set_status(OMAR.key, "offline")
    scene.live.meet(MAYA.key, OMAR.key)
    assert heard(maya) == []
    assert heard(omar) == [("maya", "online")]


def test_nobody_hears_when_who_is_invisible_leaves(scene):
    omar, maya = scene.join(OMAR, MAYA), scene.join(MAYA, OMAR)
    scene.live.set_status(OMAR.key, "offline")
    heard(maya)
    scene.drop(omar)
    scene.clock.now += GRACE_SECONDS
    assert scene.live.tick() == {}
    assert heard(maya) == []
    assert scene.live.presence.visible_to(MAYA.key) == {OMAR.key}
    assert not scene.live.presence.is_here(OMAR.key)


def test_a_status_is_told_once(scene):
    _, maya = scene.join(OMAR, MAYA), scene.join(MAYA, OMAR)
    heard(maya)
    scene.live.set_status(OMAR.key, "away")
    scene.live.set_status(OMAR.key, "away")
    assert heard(maya) == [("omar", "away")]


def test_two_who_meet_see_each_other_from_then_on(scene):
    omar, maya = scene.join(OMAR), scene.join(MAYA)
    scene.live.meet(MAYA.key, OMAR.key)
    assert heard(omar) == [("maya", "online")]
    assert heard(maya) == [("omar", "online")]
    scene.live.set_status(OMAR.key, "away")
    assert heard(maya) == [("omar", "away")]


def test_meeting_somebody_who_is_not_here_is_remembered_for_when_they_come(scene):
    maya = scene.join(MAYA)
    scene.live.meet(MAYA.key, OMAR.key)
    assert heard(maya) == []
    scene.join(OMAR)
    assert heard(maya) == [("omar", "online")]


def test_typing_is_told_to_the_recipient_alone_and_ends_by_itself(scene):
    omar, maya, lena = scene.join(OMAR, MAYA), scene.join(MAYA, OMAR), scene.join(LENA, OMAR)
    for socket in (omar, maya, lena):
        heard(socket)
    scene.live.start_typing(maya.who, OMAR.key, None)
    assert heard(omar) == [("maya", True)]
    scene.clock.now += TYPING_SECONDS
    scene.live.tick()
    assert heard(omar) == [("maya", False)]
    scene.live.stop_typing(MAYA.key, OMAR.key)
    assert heard(omar) == [], "it had ended"
    assert heard(maya) == heard(lena) == []


def test_typing_ends_with_the_typists_last_socket(scene):
    omar = scene.join(OMAR, MAYA)
    first, second = scene.join(MAYA, OMAR), scene.join(MAYA, OMAR)
    scene.live.start_typing(first.who, OMAR.key, None)
    heard(omar)
    scene.drop(first)
    assert heard(omar) == []
    scene.drop(second)
    assert heard(omar) == [("maya", False)]
