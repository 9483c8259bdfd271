"""Readers that are slow, stuck or silently dead, and those beside them."""

import asyncio
import logging
from socket import SO_RCVBUF, SOL_SOCKET
from types import SimpleNamespace

import pytest

from handlers import routes
from models import hub, presence
from tests.chaos.proxy import Proxy
from tests.chaos.storm import storm
from tests.chaos.tabs import is_missing
from tests.store.cast import eventually

LARGE = "🛎" * 3_900  # 31 kB as an event
MEBIBYTE = 1024 * 1024

pytestmark = [pytest.mark.chaos, pytest.mark.gen_test(timeout=90)]


def narrow(client, size=32 * 1024):
    """Takes the system's buffer from a socket, which would hold megabytes for its reader."""
    client.socket.protocol.stream.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, size)


@pytest.fixture
def log_of_sockets(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [record for record in caplog.records if record.name == "shopbell.socket"]


# --- Silent deaths --------------------------------------------------------------------------------


async def test_a_socket_whose_way_is_dead_is_closed_and_its_owner_goes_offline(
    serve, join, monkeypatch
):
    """P10, P11: the way swallows everything and resets nothing; the server's pings find out.

    The times are shortened here; ``python -m tests.chaos`` waits the real ones. Fails when
    ``websocket_ping_interval`` is not set in ``handlers/routes.py``.
    """
    assert routes.PING_SECONDS + routes.PONG_SECONDS <= 40
    assert routes.PING_SECONDS + routes.PONG_SECONDS + presence.GRACE_SECONDS <= 60
    monkeypatch.setattr(routes, "PING_SECONDS", 0.5)
    monkeypatch.setattr(routes, "PONG_SECONDS", 0.3)
    monkeypatch.setattr(presence, "GRACE_SECONDS", 0.2)
    server = await serve(rate_limits="off")
    door = Proxy.before(server.url)
    await door.start()
    through = SimpleNamespace(url=door.uri(server.url), token=server.token)
    maya, omar = await join(through, "Buyer", "maya"), await join(server, "Seller", "omar")
    await maya.send(omar)
    await omar.hear("user_status_changed", user_id="maya", status="online")
    door.swallow()
    await omar.hear("user_status_changed", user_id="maya", status="offline")
    await eventually(lambda: server.shop.hub.open_of("Buyer:maya") == 0)
    assert server.shop.hub.open_of("Seller:omar") == 1
    door.heal()
    await door.stop()


@pytest.mark.skipif(is_missing, reason="apt-get install nodejs")
async def test_clients_that_are_dropped_at_once_all_come_back(server, seed):
    """P11: real ``realtime.js`` with its real waits, reset at the same moment; a neighbour goes on
    writing. ``python -m tests.chaos`` does it with 500."""
    seen = await storm(server, 40, seed=seed, seconds=1)
    assert seen.back == 40
    assert seen.seconds > 0.5  # nobody tries sooner


async def test_a_crowd_that_registers_asks_the_database_in_turn(server, join, monkeypatch):
    """P11: else everybody times out together, and comes back together.

    Fails when ``models/chat.py`` lets all of them read at once.
    """
    ledger = server.shop.chat._ledger
    newest_of, now, most = ledger.newest_of, 0, 0

    async def counted(*arguments, **options):
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            return await newest_of(*arguments, **options)
        finally:
            now -= 1

    monkeypatch.setattr(ledger, "newest_of", counted)
    await asyncio.gather(*(join(server, "Buyer", f"buyer-{number}") for number in range(40)))
    assert 1 < most <= 8


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "silence"])
async def test_who_dies_while_catching_up_is_gone(serve, join, monkeypatch, is_reset):
    """P10: a replay that waits for its reader must not keep a dead socket, and somebody online.

    Fails when ``handlers/socket.py`` does not wake a replay whose stream has ended.
    """
    monkeypatch.setattr(routes, "PING_SECONDS", 0.5)
    monkeypatch.setattr(routes, "PONG_SECONDS", 0.3)
    server = await serve(rate_limits="off")
    door = Proxy.before(server.url)
    await door.start()
    through = SimpleNamespace(url=door.uri(server.url), token=server.token)
    omar, maya = await join(server, "Seller", "omar"), await join(through, "Buyer", "maya")
    for last in range(10, 301, 10):  # 300 are more than the system's buffers take
        room = (await omar.send_many(maya, [LARGE] * 10))[0]["conversation_id"]
        await maya.hear("new_message", seq=last)
    replays: list[int] = []
    monkeypatch.setattr(server.shop.metrics, "caught_up", lambda: replays.append(1))
    door.hold("down")
    await maya.start("register_user", {"since": {room: 0}})
    await eventually(lambda: replays)
    if is_reset:
        door.reset()
    await eventually(lambda: server.shop.hub.open_of("Buyer:maya") == 0)
    door.heal()
    await door.stop()


# --- Stuck readers --------------------------------------------------------------------------------


async def test_a_stuck_reader_is_let_go_and_disturbs_nobody(server, join, log_of_sockets):
    """P12: it costs a bounded outbox, is closed with 1013, catches up, and is two lines in the log;
    its neighbours' messages go on being answered and heard.

    Fails when ``Outbox`` has no bound.
    """
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    lena, other = await join(server, "Buyer", "lena"), await join(server, "Seller", "omar")
    narrow(maya)
    [connection] = server.shop.hub.registered_of("Buyer:maya")
    lines, most, sent = len(log_of_sockets()), 0, 0
    while not connection.is_closing:
        sent += 1
        assert sent < 400, "The stuck reader is kept for ever."
        last = await omar.send(maya, f"{sent} {LARGE}")
        most = max(most, connection.outbox.bytes)
        if sent % 10 == 0:
            await lena.send(omar, f"{sent}")
            await other.hear("new_message", message=f"{sent}")
    assert most <= hub.OUTBOX_BYTES == MEBIBYTE
    narrow(maya, 4 * MEBIBYTE)
    assert await maya.closed() == 1013
    await eventually(lambda: server.shop.hub.open_of("Buyer:maya") == 0)
    assert len(log_of_sockets()) - lines <= 2
    heard = [frame["data"]["seq"] for frame in maya.heard if frame["event"] == "new_message"]
    assert heard == list(range(1, len(heard) + 1))
    again = await join(server, "Buyer", "maya", since={last["conversation_id"]: len(heard)})
    rest = [(await again.hear("new_message"))["seq"] for _ in range(sent - len(heard))]
    assert rest == list(range(len(heard) + 1, sent + 1))


async def test_a_flood_of_typing_costs_a_stuck_reader_no_message(server, join):
    """P10, P12: typing is left out once half of the outbox waits, so a message still finds room.

    Fails when typing is not ``droppable`` in ``models/live.py``.
    """
    maya, lena = await join(server, "Buyer", "maya"), await join(server, "Buyer", "lena")
    omar = await join(server, "Seller", "omar")
    await maya.send(omar)
    narrow(omar)
    [connection] = server.shop.hub.registered_of("Seller:omar")
    while not connection.outbox.bytes:  # the system's buffers are full
        await maya.send(omar, LARGE)
    typing = {"recipient_id": "omar", "recipient_type": "Seller"}
    full = -1
    for _ in range(50):
        for number in range(200):
            await maya.tell("typing", {**typing, "is_typing": number % 2 == 0})
        await maya.ask("update_status", {"status": "online"})  # all before has had its effect
        if connection.outbox.bytes == full:
            break
        full = connection.outbox.bytes
    assert 0.45 * MEBIBYTE < full <= MEBIBYTE / 2
    said = await lena.send(omar, "Are you there?")
    assert not connection.is_closing
    assert await omar.hear("new_message", id=said["id"]) == said
