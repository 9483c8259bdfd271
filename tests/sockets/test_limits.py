import json
from socket import SO_RCVBUF, SOL_SOCKET

import pytest

from handlers import socket
from tests.caller import call
from tests.sockets.client import knock, spoken

MANY = 240


@pytest.fixture
async def strict(serve):
    """A server with all its limits on."""
    return await serve()


# --- Messages and events --------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "at_once", "seconds"), [("Buyer", 10, 1), ("Seller", 60, 0.2)])
async def test_so_many_messages_at_once_then_it_says_when_to_come_back(
    strict, join, type_, at_once, seconds
):
    vera = await join(strict, "Seller", "vera")
    sockets = [await join(strict, type_, "maya"), await join(strict, type_, "maya")]
    asked = []
    for number in range(at_once + 5):
        client = sockets[number % 2]  # people are counted, not sockets
        asked.append((client, await client.start("send_message", client.message_to(vera))))
    answers = [await client.hear_answer(number) for client, number in asked]
    kinds = [answer["event"] for answer in answers]
    refused = [answer["data"] for answer in answers if answer["event"] == "error"]
    assert kinds.count("ack") in range(at_once, at_once + 4)  # while they come, time goes by
    assert {error["code"] for error in refused} == {"rate_limited"}
    assert all(0 < error["retry_after"] <= seconds for error in refused)
    stored = await vera.heard_so_far("new_message")
    assert len(stored) == kinds.count("ack")


async def test_the_same_limit_counts_messages_over_http(strict, join):
    vera, maya = await join(strict, "Seller", "vera"), await join(strict, "Buyer", "maya")
    for _ in range(9):
        await maya.send(vera)
    token, data = strict.token("Buyer", "maya"), maya.message_to(vera)
    sent = [await call(strict, "POST", "/api/messages/send", data, token=token) for _ in range(4)]
    assert sent[0].status == 201
    assert sent[-1].refusal == (429, "rate_limited")
    assert int(sent[-1].headers["Retry-After"]) >= 1
    assert (await maya.refusal("send_message", data))["code"] == "rate_limited"


async def test_one_buyers_haste_slows_nobody_else(strict, join):
    vera = await join(strict, "Seller", "vera")
    maya, lena = await join(strict, "Buyer", "maya"), await join(strict, "Buyer", "lena")
    for _ in range(15):
        await maya.tell("send_message", maya.message_to(vera))
    assert (await maya.error())["code"] == "rate_limited"
    await lena.send(vera)
    await vera.send(lena)


@pytest.mark.parametrize(
    "frame",
    [
        '{"event":"update_status","data":{"status":"online"}}',
        '{"event":"send_message","data":{}}',
        '{"event":"what is this"}',
        "no JSON",
    ],
)
async def test_flooding_is_warned_of_three_times_and_ends_with_4429(strict, join, frame):
    maya, lena = await join(strict, "Buyer", "maya"), await join(strict, "Buyer", "lena")
    for _ in range(140):
        await maya.write(frame)
    assert await maya.closed() == 4429
    errors = [f["data"] for f in maya.heard if f["event"] == "error"]
    warnings = [error for error in errors if error["code"] == "rate_limited"]
    assert len(warnings) in {3, 4}  # the last one may not come through any more
    assert all(0 < warning["retry_after"] <= 1 for warning in warnings)
    assert (await lena.ask("update_status", {"status": "away"})) == {"status": "away"}
    await join(strict, "Buyer", "maya")


async def test_without_limits_nobody_is_too_fast(server, maya, omar):
    await maya.send_many(omar, ["Hello"] * 100)
    for _ in range(150):
        await maya.tell("update_status", {"status": "online"})
    assert not await maya.heard_so_far("error")


# --- How many sockets -----------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "most"), [("Buyer", 10), ("Seller", 50)])
async def test_one_socket_too_many_is_refused_with_429(strict, connect, open_socket, type_, most):
    sockets = [await connect(strict, type_, "maya") for _ in range(most)]
    mine = spoken(strict.token(type_, "maya"))
    status, error = await knock(open_socket, strict, subprotocols=mine)
    assert (status, error["code"]) == (429, "rate_limited")
    assert error["retry_after"] > 0
    await connect(strict, type_, "lena")
    await sockets[0].leave()
    await connect(strict, type_, "maya")
    assert (await knock(open_socket, strict, subprotocols=mine))[0] == 429


async def test_all_sockets_together_are_limited(strict, connect, open_socket, monkeypatch):
    assert socket.SOCKETS_IN_ALL == 2_000
    monkeypatch.setattr(socket, "SOCKETS_IN_ALL", 3)
    for number in range(3):
        await connect(strict, "Buyer", f"b{number}")
    lena = spoken(strict.token("Buyer", "lena"))
    status, error = await knock(open_socket, strict, subprotocols=lena)
    assert (status, error["code"]) == (429, "rate_limited")


async def test_without_limits_a_buyer_may_have_many_sockets(server, connect):
    for _ in range(12):
        await connect(server, "Buyer", "maya")


# --- How large, how slow --------------------------------------------------------------------------


async def test_a_frame_over_64_kib_closes_with_1009(maya, omar, lena):
    frame = json.dumps({"event": "update_status", "data": {"status": "online"}, "id": 0})
    await lena.write(frame + " " * (64 * 1024 - len(frame)))
    assert (await lena.hear_answer(0))["event"] == "ack"
    await maya.write(frame + " " * (64 * 1024 + 1 - len(frame)))
    assert await maya.closed() == 1009
    await lena.send(omar)


async def test_who_reads_too_slowly_is_closed_with_1013_and_can_catch_up(server, join, maya, omar):
    # A narrow pipe, or the system would hold many megabytes for the reader.
    pipe = maya.socket.protocol.stream.socket
    pipe.setsockopt(SOL_SOCKET, SO_RCVBUF, 32 * 1024)
    texts = [str(number) + "🛎" * 3_990 for number in range(MANY)]  # 32 kB each, as events
    for first in range(0, MANY, 20):
        last = (await omar.send_many(maya, texts[first : first + 20]))[-1]
    pipe.setsockopt(SOL_SOCKET, SO_RCVBUF, 4 * 1024 * 1024)
    assert await maya.closed() == 1013
    heard = [frame["data"] for frame in maya.heard if frame["event"] == "new_message"]
    reached = heard[-1]["seq"] if heard else 0
    assert [message["seq"] for message in heard] == list(range(1, reached + 1))
    assert reached < MANY
    again = await join(server, "Buyer", "maya", since={last["conversation_id"]: reached})
    rest = [(await again.hear("new_message"))["seq"] for _ in range(MANY - reached)]
    assert rest == list(range(reached + 1, MANY + 1))
