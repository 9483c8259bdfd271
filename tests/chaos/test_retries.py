"""The same message again and again: through swallowed acks, both doors, and a crash."""

import asyncio
import sys

import pytest

from tests.caller import call
from tests.chaos.checker import faults
from tests.chaos.history import History, told
from tests.chaos.people import Device, read_all
from tests.chaos.processes import running
from tests.chaos.proxy import Proxy
from tests.chaos.wire import Frames, is_event
from tests.sockets.client import knock, spoken
from tests.store.cast import eventually

OMAR = ("Seller", "omar")
AGAIN = {"recipient_id": "omar", "recipient_type": "Seller", "client_id": "again"}

pytestmark = [pytest.mark.chaos, pytest.mark.gen_test(timeout=120)]


def is_ack_of_message(text):
    return is_event(text, "ack") and '"duplicate":' in text


async def rows(server):
    token = server.token(*OMAR)
    path = "/api/messages/conversation/maya/Buyer?after=0"
    return (await call(server, "GET", path, token=token)).body["messages"]


async def test_five_retries_through_swallowed_acks_are_one_row(server, door, through, join):
    """P3: the network loses the ack each time; the next connection sends the same again.

    The journal looks a repeat up, and the unique index stands behind it
    (``store/test_store.py``). Fails when both are gone.
    """
    await join(server, *OMAR)
    frames = Frames(is_ack_of_message)
    door.filter("down", frames.without_some)
    for retry in range(1, 6):
        maya = await join(through, "Buyer", "maya")
        await maya.start("send_message", {**AGAIN, "message": "Is it in stock?"})
        while frames.lost < retry:  # within the test's own limit
            await asyncio.sleep(0.01)
    door.heal()
    maya = await join(through, "Buyer", "maya")
    answer = await maya.ask("send_message", {**AGAIN, "message": "Is it in stock?"})
    assert (answer["duplicate"], answer["message"]["seq"]) == (True, 1)
    assert [(row["client_id"], row["seq"]) for row in await rows(server)] == [("again", 1)]


async def test_ten_copies_at_once_through_both_doors_are_one_row(server, join):
    """P3, P13: five by socket and five by HTTP, at the same moment.

    Fails when the unique index of ``client_id`` is gone, and the journal forgets what is under way.
    """
    omar = await join(server, *OMAR)
    tabs = [await join(server, "Buyer", "maya") for _ in range(5)]
    data, token = {**AGAIN, "message": "Is it in stock?"}, server.token("Buyer", "maya")

    async def post():
        answer = await call(server, "POST", "/api/messages/send", data, token=token)
        return answer.status, answer.body["message"]["id"]

    answers = await asyncio.gather(
        *(tab.ask("send_message", data) for tab in tabs), *(post() for _ in range(5))
    )
    ids = {answer["message"]["id"] for answer in answers[:5]} | {id_ for _, id_ in answers[5:]}
    assert len(ids) == 1
    firsts = [answer for answer in answers[:5] if not answer["duplicate"]]
    firsts += [status for status, _ in answers[5:] if status == 201]
    assert len(firsts) == 1
    assert len(await rows(server)) == 1
    assert len(await omar.heard_so_far("new_message")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="finds the database's process in /proc")
async def test_a_crash_between_commit_and_ack_stores_nothing_twice(tmp_path, seed):
    """P1, P3: Omar has the message, Maya's ack was lost, and everything is killed; her client
    sends it again to the next server.

    Fails when the unique index of ``client_id`` is gone, and the journal does not look it up.
    """
    history = History()
    async with running(tmp_path / "data") as server:
        door = Proxy.before(server.url, seed=seed)
        await door.start()

        def is_lost(text):
            return server.starts == 1 and is_ack_of_message(text)

        door.filter("down", Frames(is_lost).without_some)
        omar = Device(server, history, *OMAR)
        maya = Device(server, history, "Buyer", "maya", url=door.uri(server.url))
        try:
            for device in (omar, maya):
                device.start()
                await device.connected.wait()
            sending = asyncio.ensure_future(maya.send(OMAR, "Is it in stock?", "again"))
            await eventually(lambda: any(line.op == "receive" for line in history))
            assert not sending.done()
            await server.kill("both")
            async with asyncio.timeout(30):
                assert (await sending)["seq"] == 1
            ends = await read_all(server, history, *OMAR)
            await asyncio.gather(omar.end(ends), maya.end(ends))
        finally:
            await maya.stop()
            await omar.stop()
            await door.stop()
    assert not faults(history), told(faults(history), seed)
    assert sum(line.op == "stored" for line in history) == 1


async def test_where_upgrades_are_stripped_writing_and_reading_go_by_http(
    server, door, through, history, open_socket, join, seed
):
    """P13: a network without WebSockets; the same rules and errors by calls, and plain forms."""
    omar = await join(server, *OMAR)
    door.filter("up", lambda: lambda chunk: chunk.replace(b"Upgrade: websocket\r\n", b""))
    token = server.token("Buyer", "maya")
    assert (await knock(open_socket, through, subprotocols=spoken(token)))[0] == 400
    maya = Device(through, history, "Buyer", "maya")
    for number in range(3):
        assert (await maya.send(OMAR, f"number {number}", f"c{number}", door="http"))["seq"]
    repeat = {**AGAIN, "client_id": "c1", "message": "another text"}
    answer = await call(through, "POST", "/api/messages/send", repeat, token=token)
    assert answer.refusal == (409, "conflict")
    form = {"message": "By a plain form", "client_id": "c3"}
    origin = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    for _ in range(2):
        where = await call(through, "POST", "/chat/omar", form=form, cookie=token, headers=origin)
        assert where.status == 303
    assert [row["seq"] for row in await rows(through)] == [1, 2, 3, 4]
    assert [(await omar.hear("new_message"))["seq"] for _ in range(4)] == [1, 2, 3, 4]
