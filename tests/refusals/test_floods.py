"""PROMISES S30 to S35: what comes too fast, too much or too slowly costs only who sends it."""

import asyncio
import re
from pathlib import Path
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from typing import Any

from handlers import base, listener, socket
from tests.caller import call
from tests.refusals.raw import (
    CONTINUATION,
    CUT,
    PING,
    SECONDS,
    TEXT,
    Raw,
    connected,
    event,
    frame,
    handshake,
    upgraded,
)

PAGE_BYTES = 4096
MEMORY_BYTES = 16 * 1024 * 1024  # what a flood may leave behind in the allocator
HASTE = {"idle_seconds": 1.0, "body_seconds": 1.0}
ROOT = Path(__file__).parents[2]


def resident_bytes():
    """How much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


# --- Floods on a socket ---------------------------------------------------------------------------


async def test_a_hundred_thousand_fragments_are_bounded(server, lag, neighbours):
    """S30 to S35, section 5: of 100,000 fragments of one byte the 65,537th ends the socket, and
    while they come others talk. Fails when ``websocket_max_message_size`` counts one frame only."""
    before = resident_bytes()
    async with upgraded(server, frame(TEXT, b"{", fin=False)) as raw:
        await raw.write(frame(CONTINUATION, b" ", fin=False) * 65_536)
        assert await raw.end() == 1009
    async with upgraded(server, frame(TEXT, b"{", fin=False)) as raw:
        flood = asyncio.create_task(raw.write(frame(CONTINUATION, b" ", fin=False) * 100_000))
        await neighbours("meanwhile")
        assert await raw.end() in (1009, CUT)  # whoever still writes then may not get to read it
        await flood
    async with upgraded(server, frame(TEXT, fin=False)) as raw:
        await raw.write(frame(CONTINUATION, fin=False) * 5_000)
        await raw.write(frame(CONTINUATION, event("ask")))
        assert (await raw.answer())["data"]["code"] == "bad_request"
    await neighbours()
    assert resident_bytes() - before < MEMORY_BYTES


async def test_pings_whose_answers_nobody_reads_are_not_hoarded(server, lag, neighbours):
    """S30 to S35, section 5. Fails when each ping is answered at once (Tornado before 6.6)."""
    for listening in server.http._sockets.values():
        listening.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)  # or the system keeps the first megabytes
    async with upgraded(server) as raw:
        transport: Any = raw.writer.transport
        raw.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, 16_384)
        transport.pause_reading()
        flood = asyncio.create_task(raw.write(frame(PING, b"x" * 125) * 30_000))
        await neighbours("meanwhile")
        [protocol] = [
            connection._close.__self__.ws_connection
            for connection in server.shop.hub.everybody()
            if not connection.registered
        ]
        async with asyncio.timeout(SECONDS):
            while protocol._wire_bytes_in < 400_000:  # where none is read, the pipe gets stuck
                await asyncio.sleep(0.01)
        assert len(protocol.stream._write_buffer) < 1024
        transport.abort()
        await flood
    await neighbours()


async def test_who_says_a_byte_at_a_time_has_ten_seconds_to_say_who_it_is(
    serve, monkeypatch, expected_errors
):
    """Section 5: one byte a second. Fails when ``REGISTER_SECONDS`` counts from the last byte."""
    assert socket.REGISTER_SECONDS == 10
    monkeypatch.setattr(socket, "REGISTER_SECONDS", 0.5)
    server = await serve(rate_limits="off")
    async with upgraded(server) as raw:
        end = asyncio.create_task(raw.end())
        for byte in frame(TEXT, event("register_user")).ljust(100):
            await raw.write(bytes([byte]))
            await asyncio.sleep(0.02)
            if end.done():
                break
        assert await end == 4408


# --- Slow and unfinished requests -----------------------------------------------------------------


def test_nothing_but_the_listener_decides_how_long_it_waits():
    """PROMISES section 8: 60 s for headers and idle ones, 30 s for bodies, 16 KiB, 64 KiB."""
    assert (listener.IDLE_SECONDS, listener.BODY_SECONDS) == (60, 30)
    assert (listener.HEADER_BYTES, base.BODY_BYTES) == (16 * 1024, 64 * 1024)
    program = [*ROOT.glob("*.py"), *ROOT.glob("handlers/*.py"), *ROOT.glob("models/*.py")]
    makers = [path.name for path in program if re.search(r"\bHTTPServer\(", path.read_text())]
    assert makers == ["listener.py"]
    assert "return listener(parts)" in (ROOT / "server.py").read_text()


async def drip(raw: Raw, data: bytes) -> int | str:
    """Sends a byte each 50 ms until the server ends it, and says how."""
    end = asyncio.create_task(raw.reader.read())
    for byte in data:
        await raw.write(bytes([byte]))
        await asyncio.wait({end}, timeout=0.05)
        if end.done():
            return CUT if not await end else (await end).split()[1].decode()
    raise AssertionError("It was heard out.")


async def test_slow_headers_and_bodies_and_idle_connections_are_cut_off(serve):
    """S30 to S35: slowloris. Fails when the listener is made without its seconds."""
    server = await serve(rate_limits="off", patience=HASTE)
    token = server.token("Buyer", "maya")
    head = f"POST /api/messages/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    slow = {
        "a request without end": (b"", b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100),
        "a handshake": (b"", handshake(server, token)),
        "a body": (f"{head}Content-Length: 100\r\n\r\n".encode(), b" " * 100),
        "chunks": (f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), b"1\r\n \r\n" * 30),
        "a chunk's length": (f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), b"1" * 60),
        "a file's body": (
            b"POST /static/js/realtime.js HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
            b" " * 100,
        ),
        "nothing": (b"", b""),
        "nothing after an answer": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    }

    async def one(kind):
        at_once, slowly = slow[kind]
        async with connected(server) as raw, asyncio.timeout(10):
            await raw.write(at_once)
            if slowly:
                return kind, await drip(raw, slowly)
            return kind, (await raw.reader.read())[:12].decode() or CUT

    ends = dict(await asyncio.gather(*map(one, slow)))
    assert ends.pop("nothing after an answer") == "HTTP/1.1 200"
    assert ends.pop("a file's body") in (CUT, "405")
    assert set(ends.values()) == {CUT}, ends


async def test_hundreds_of_unfinished_handshakes_keep_nobody_out(serve, lag, join):
    """Section 5: 5,000 unfinished handshakes, scaled to what a test may hold open.

    Fails when the listener is made without ``idle_connection_timeout``.
    """
    server = await serve(rate_limits="off", patience=HASTE | {"idle_seconds": 3.0})
    begun = handshake(server, server.token("Buyer", "maya"))[:-2]
    crowd = await asyncio.gather(
        *(asyncio.open_connection("127.0.0.1", int(server.url[-5:])) for _ in range(400))
    )
    unfinished = [Raw(*pair) for pair in crowd]
    for raw in unfinished:
        await raw.write(begun)
    lena, omar = await join(server, "Buyer", "lena"), await join(server, "Seller", "omar")
    assert await lena.send(omar, "meanwhile") == await omar.hear("new_message")
    async with asyncio.timeout(10):
        assert {await raw.end() for raw in unfinished} == {CUT}
    for raw in unfinished:
        await raw.close()
    assert server.shop.hub.count == 2
    await omar.send(lena)


# --- Bodies ---------------------------------------------------------------------------------------


async def test_no_door_keeps_more_than_64_kib_of_a_body(server, lag):
    """PROMISES section 8, at every kind of door, whether the length is said or not.

    Fails when ``set_max_body_size`` goes (a large chunk is then 400), when ``data_received`` reads
    on for ever, and, for files, when the listener has no ``max_body_size``.
    """
    token = server.token("Buyer", "maya")
    before = resident_bytes()
    piece = b" " * 65_536
    for path, statuses in {
        "/api/messages/send": {b"413"},
        "/api/nothing": {b"413", b"404"},
        "/chat/omar": {b"413"},
        "/login": {b"413"},
        "/nothing": {b"413", b"404"},
        "/static/js/realtime.js": {b"405", b"400", b""},
        "/widget.js": {b"405", b"400", b""},
    }.items():
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        head += "Content-Type: application/json\r\n"
        for said, pieces in (
            ("Content-Length: 99999999", [piece] * 1_500),
            ("Transfer-Encoding: chunked", [b"10000\r\n%b\r\n" % piece] * 1_500),
            ("Transfer-Encoding: chunked", [b"7000000\r\n", *[piece] * 1_500]),
        ):
            async with connected(server) as raw:
                reading = asyncio.create_task(raw.reader.read())
                await raw.write(f"{head}{said}\r\n\r\n".encode())
                for each in pieces:
                    if reading.done():
                        break
                    await raw.write(each)
                    await asyncio.sleep(0)
                try:
                    answer = await asyncio.wait_for(reading, 10)
                except ConnectionError:
                    continue  # it talked on when it had been answered
                assert answer[9:12] in statuses, (path, said, answer[:100])
    assert resident_bytes() - before < MEMORY_BYTES


async def test_a_chunked_body_over_the_limit_is_too_large_whatever_it_claims(server):
    """S30 to S35, C29: 413 in the one envelope. Fails without ``set_max_body_size``."""
    token = server.token("Buyer", "maya")
    head = f"POST /api/messages/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for chunk in (b"10001\r\n", b"7fffffff\r\n"):
        async with connected(server) as raw:
            await raw.write(head.encode() + chunk + b" " * 1_100_000)
            if chunk == b"10001\r\n":
                await raw.write(b"\r\n0\r\n\r\n")
            status, _ = await raw.head()
            assert status in (400, 413) if chunk == b"10001\r\n" else status == 413
    assert (await call(server, "GET", "/healthz")).status == 200
