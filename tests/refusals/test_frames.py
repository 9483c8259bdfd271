"""PROMISES section 5: what RFC 6455 forbids, on raw TCP connections to one real server.

Each row ends with a close code or is cut off, leaves no error in the log (the fixture
``expected_errors`` fails otherwise), and a neighbour still gets their messages. C29, C30.
"""

import asyncio
import socket
import struct
from itertools import pairwise
from typing import Any

from tests.refusals.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    CUT,
    PING,
    PONG,
    TEXT,
    closing,
    connected,
    event,
    frame,
    handshake,
    upgraded,
)

FRAME_BYTES = 64 * 1024


def split(text, *places):
    """One text in several fragments."""
    edges = [0, *places, len(text)]
    parts = [text[a:b] for a, b in pairwise(edges)]
    return b"".join(
        frame(CONTINUATION if i else TEXT, part, fin=i == len(parts) - 1)
        for i, part in enumerate(parts)
    )


# --- What is fine ---------------------------------------------------------------------------------

FINE = {
    **{
        f"length {size}": frame(TEXT, event("ask", x="").ljust(size))
        for size in (125, 126, 127, 65_535, 65_536)
    },
    "a binary frame": frame(BINARY, event("ask")),
    "two fragments": split(event("ask"), 5),
    "empty fragments": split(event("ask"), 0, 0, 7, 7),
    "a ping between fragments": frame(TEXT, event("ask")[:9], fin=False)
    + frame(PING, b"now")
    + frame(CONTINUATION, event("ask")[9:]),
    "a pong that nobody asked for": frame(PONG, b"?") + frame(TEXT, event("ask")),
    "a character across fragments": split(b'{"event":"\xf0\x9f\x9b\x8e","id":1}', 11, 12, 13),
}


async def test_what_rfc_6455_allows_is_answered(server, lag, neighbours):
    """Section 5: lengths 0 to 65,536, fragments, control frames between them. C29.

    Fails when the frame's limit is a byte less, or fragments are not joined.
    """
    for kind, written in FINE.items():
        async with upgraded(server, written) as raw:
            assert (await raw.answer())["data"]["code"] == "bad_request", kind  # no such event
        async with upgraded(server) as raw:
            for byte in written[:300]:
                raw.writer.write(bytes([byte]))  # each in a packet of its own, or nearly
                await asyncio.sleep(0)
            await raw.write(written[300:])
            assert (await raw.answer())["data"]["code"] == "bad_request", kind
    async with upgraded(server, frame(TEXT)) as raw:
        assert (await raw.answer(None))["data"]["code"] == "bad_request"
    await neighbours()


# --- What is forbidden ----------------------------------------------------------------------------

NO_UTF8 = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]

FORBIDDEN = {
    "one byte too many": (1009, frame(TEXT, b"x" * (FRAME_BYTES + 1))),
    "one byte too many in fragments": (1009, split(b"x" * (FRAME_BYTES + 1), 9, 40_000)),
    "a length of 2^63 - 1": (1009, frame(TEXT, b"x" * 50, length=2**63 - 1)),
    "a length of 2^64 - 1": (1009, frame(TEXT, b"x" * 50, length=2**64 - 1)),
    "a huge fragment behind another": (
        1009,
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", length=2**62),
    ),
    "no mask": (1002, frame(TEXT, event(), masked=False)),
    "no mask on a ping": (1002, frame(PING, masked=False)),
    **{
        f"reserved bits {bits}": (1002, frame(TEXT, event(), reserved=bits))
        for bits in (1, 2, 4, 7)
    },
    **{f"opcode {code}": (1002, frame(code, b"x")) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "text between fragments": (1002, frame(TEXT, b"{", fin=False) + frame(TEXT, event())),
    "binary between fragments": (1002, frame(TEXT, b"{", fin=False) + frame(BINARY, event())),
    "a continuation of nothing": (1002, frame(CONTINUATION, event())),
    "a continuation of what is whole": (1002, frame(TEXT, b"{}") + frame(CONTINUATION, b"{}")),
    **{
        f"{name} in fragments": (1002, frame(code, b"", fin=False))
        for name, code in (("ping", PING), ("pong", PONG), ("close", CLOSE))
    },
    **{
        f"{name} over 125 bytes": (1002, frame(code, b"\x03\xe8" + b"x" * 124))
        for name, code in (("ping", PING), ("pong", PONG), ("close", CLOSE))
    },
    **{f"no UTF-8 {text!r}": (1007, frame(TEXT, text)) for text in NO_UTF8},
    "no UTF-8 across fragments": (1007, split(b'{"event":"\xf0\x9f\x9b"}', 11, 12)),
    "no UTF-8 in a close reason": (1007, closing(1000, b"\xff")),
    "a close of one byte": (1002, frame(CLOSE, b"\x03")),
    **{
        f"close code {code}": (1002, closing(code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535)
    },
    "data after close": (1000, closing(1000) + frame(TEXT, event(status="away")) * 3),
    "two closes": (1001, closing(1001) + closing(1000)),
    "an empty close": (1005, frame(CLOSE)),
}


async def test_what_rfc_6455_forbids_ends_that_socket_with_its_code_and_no_other(
    server, lag, neighbours
):
    """Section 5, C30. Fails when ``StrictProtocol`` is Tornado's own protocol: that one cuts
    without a code, and takes a frame without a mask."""
    for kind, (code, written) in FORBIDDEN.items():
        async with upgraded(server, written) as raw:
            assert await raw.end() == code, kind
        async with upgraded(server) as raw:
            await raw.write(frame(TEXT, event("register_user")))
            assert (await raw.answer())["event"] == "ack"
            await raw.write(written)
            assert await raw.end() == code, kind
    await neighbours()
    assert server.shop.hub.count == 2


# --- How it ends ----------------------------------------------------------------------------------


def reset(raw):
    """Ends a connection as a crash does, without a FIN."""
    pipe = raw.writer.get_extra_info("socket")
    pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.writer.transport.abort()


async def gone(server, count):
    """Waits until the hub knows only so many sockets."""
    async with asyncio.timeout(10):
        while server.shop.hub.count != count:
            await asyncio.sleep(0.01)


async def test_every_sudden_end_takes_the_socket_out_of_the_hub(server, lag, neighbours):
    """Section 5: half-close, reset inside a frame, inside a fragmented text, inside a handshake.

    Fails when ``on_close`` does not disconnect from the hub.
    """
    for written in (b"", b"\x81", frame(TEXT, event())[:9], frame(TEXT, b"{", fin=False)):
        for end in (reset, lambda raw: raw.writer.write_eof()):
            async with upgraded(server, written) as raw:
                await gone(server, 3)
                end(raw)
                await gone(server, 2)
    for cut in (1, 40, 120):
        async with connected(server) as raw:
            await raw.write(handshake(server, server.token("Buyer", "maya"))[:cut])
            reset(raw)
    await neighbours()


async def test_a_close_that_is_never_answered_is_cut_within_five_seconds(server, neighbours):
    """Section 5. Fails when the server waits for the client's half of the closing for ever."""
    async with upgraded(server) as raw, asyncio.timeout(5.8):
        await gone(server, 3)
        [connection] = [c for c in server.shop.hub.everybody() if not c.registered]
        connection.close(1012, "the server restarts")
        await raw.write(frame(TEXT, event()) * 5)  # it talks on, and is not heard
        assert await raw.end() == 1012
    await neighbours()
    assert server.shop.hub.count == 2


# --- Handshakes -----------------------------------------------------------------------------------

HANDSHAKES: dict[str, tuple[int, dict[str, Any]]] = {
    "plain": (101, {}),
    "keep-alive, Upgrade": (101, {"Connection": "keep-alive, Upgrade"}),
    "small letters": (101, {"Connection": "upgrade", "Upgrade": "WebSocket"}),
    "no key": (400, {"Sec_WebSocket_Key": None}),
    "an empty key": (400, {"Sec_WebSocket_Key": ""}),
    "a short key": (400, {"Sec_WebSocket_Key": "c2hvcnQ="}),
    "a long key": (400, {"Sec_WebSocket_Key": "A" * 64}),
    "a key that is no base 64": (400, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=!"}),
    "two keys": (400, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==\ndGhlIHNhbXBsZSBub25jZQ=="}),
    "no version": (426, {"Sec_WebSocket_Version": None}),
    "version 8": (426, {"Sec_WebSocket_Version": "8"}),
    "version 14": (426, {"Sec_WebSocket_Version": "14"}),
    "two versions": (426, {"Sec_WebSocket_Version": "13\n8"}),
    "no upgrade": (400, {"Upgrade": None}),
    "another upgrade": (400, {"Upgrade": "h2c"}),
    "no connection": (400, {"Connection": None}),
    "a connection that closes": (400, {"Connection": "close"}),
    "no host": (400, {"Host": None}),
    "two hosts": (400, {"Host": "a.example\nb.example"}),
    "a doubled token": (401, {"Authorization": "Bearer x\nBearer y"}),
    "a line break in a name": (400, {"X\tY": "1"}),
}


async def test_a_handshake_is_answered_with_its_status(server, lag, neighbours):
    """Section 5: missing or short key, old versions, doubled headers.

    Fails when ``_has_key`` goes.
    """
    token = server.token("Buyer", "maya")
    for kind, (status, changed) in HANDSHAKES.items():
        async with connected(server) as raw:
            await raw.write(handshake(server, token, **changed))
            assert (await raw.head())[0] == status, kind
    await neighbours()


async def test_compression_is_declined(server):
    """S30 to S35, section 5: whatever is offered, no frame is compressed.

    Fails when ``get_compression_options`` returns ``{}``.
    """
    for offer in (
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
        'permessage-deflate; server_max_window_bits="9\\',
        "permessage-deflate; client_max_window_bits=" + "9" * 5_000,
        ';=;=";,,"\'',
    ):
        async with connected(server) as raw:
            token = server.token("Buyer", "maya")
            await raw.write(handshake(server, token, Sec_WebSocket_Extensions=offer))
            status, head = await raw.head()
            assert status == 101
            assert b"extensions" not in head.lower()
            await raw.write(frame(TEXT, b"x", reserved=4))
            assert await raw.end() == 1002


async def test_heads_over_16_kib_are_cut_off(server, lag, neighbours):
    """Section 5 and 8: a header line of 100 KB, ten thousand lines, a path without end.

    Fails when the listener has no ``max_header_size``.
    """
    token = server.token("Buyer", "maya")
    for head in (
        handshake(server, token, X_Long="x" * 17_000),
        handshake(server, token, X_Long="x" * 100_000),
        handshake(server, token, X_Many="x\n" * 10_000),
        handshake(server, token).replace(b"/ws", b"/" + b"w" * 100_000),
        b"x" * 100_000,
        b"\0" * 100_000,
    ):
        async with connected(server) as raw:
            await raw.write(head)
            assert await raw.end() == CUT
    await neighbours()


async def test_a_body_on_the_request_for_a_socket_is_no_frame(server, neighbours):
    """Section 5: body on GET. Fails when a body is left in the stream for the frames."""
    token = server.token("Buyer", "maya")
    body = frame(TEXT, event("register_user", "inside"))
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for status, sent, changed in (
        (101, body, {"Content-Length": str(len(body))}),
        (101, chunked, {"Transfer-Encoding": "chunked"}),
        (413, body, {"Content-Length": "70000"}),
    ):
        async with connected(server) as raw:
            await raw.write(handshake(server, token, **changed) + sent)
            assert (await raw.head())[0] == status, changed
            if status == 101:
                await raw.write(frame(TEXT, event("ask", "behind")))
                assert (await raw.answer("behind"))["data"]["code"] == "bad_request"
    await neighbours()


async def test_frames_that_come_with_the_handshake_are_taken(server):
    """Section 5. Fails when the bytes behind the head are dropped."""
    for cut in range(0, 12, 3):
        written = frame(TEXT, event("register_user"))
        async with upgraded(server, written[:cut]) as raw:
            await raw.write(written[cut:])
            assert (await raw.answer())["event"] == "ack"
