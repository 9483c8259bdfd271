"""A client that may break RFC 6455: it writes bytes, and reads frames as they come."""

import asyncio
import json
import os
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

SECONDS = 15  # how long anything may take before a test gives up on it
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
CUT = "cut"  # an end without a close frame


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    masked: bool = True,
    reserved: int = 0,
    length: int | None = None,
) -> bytes:
    """A frame as a client writes it, and every way to write it wrongly.

    ``reserved`` are the three bits behind FIN, ``length`` is what it says of itself.
    """
    said = len(payload) if length is None else length
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if said < 126:
        head += bytes([masked << 7 | said])
    elif said < 1 << 16:
        head += struct.pack("!BH", masked << 7 | 126, said)
    else:
        head += struct.pack("!BQ", masked << 7 | 127, said)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def closing(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


def event(name: str = "update_status", frame_id: object = 1, **data: Any) -> bytes:
    """The text of one event."""
    return json.dumps({"event": name, "id": frame_id, "data": data}).encode()


def handshake(server: Any, token: str | None, **changed: str | None) -> bytes:
    """The head of a request for a socket; ``changed`` by names with underscores, None takes away.

    A value with line breaks makes more lines of the same name.
    """
    headers: dict[str, str | None] = {
        "Host": urlsplit(server.url).netloc,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Authorization": token and f"Bearer {token}",
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [
        f"{name}: {line}"
        for name, value in headers.items()
        if value is not None
        for line in value.split("\n")
    ]
    return "\r\n".join(["GET /ws HTTP/1.1", *lines, "", ""]).encode("latin1")


class Raw:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def write(self, data: bytes) -> None:
        """Writes as much as the other side takes; an end that came meanwhile is read later."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def head(self) -> tuple[int, bytes]:
        """The status and the whole head of the answer to a request."""
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), head

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload. Raises ``IncompleteReadError`` at the end."""
        async with asyncio.timeout(SECONDS):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                [length] = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                [length] = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0xF, await self.reader.readexactly(length)

    async def answer(self, frame_id: object = 1) -> dict[str, Any]:
        """The whole event that answers a frame."""
        while True:
            opcode, payload = await self.frame()
            assert opcode in (TEXT, PING, PONG), f"closed: {payload!r}"
            found = json.loads(payload) if opcode == TEXT else []
            for each in found if isinstance(found, list) else [found]:
                if each["event"] in ("ack", "error") and each.get("id") == frame_id:
                    return each

    async def end(self) -> int | str:
        """Reads to the end: the close code, or ``CUT``."""
        code: int | str = CUT
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    code = int.from_bytes(payload[:2]) if payload else 1005
        except (asyncio.IncompleteReadError, ConnectionError):
            return code

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(server: Any) -> AsyncGenerator[Raw]:
    """A connection to the server, for the while."""
    raw = Raw(*await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port))
    try:
        yield raw
    finally:
        await raw.close()


@asynccontextmanager
async def upgraded(server: Any, behind: bytes = b"", **changed: str | None) -> AsyncGenerator[Raw]:
    """Maya's socket, not registered yet; ``behind`` is written together with the handshake."""
    async with connected(server) as raw:
        await raw.write(handshake(server, server.token("Buyer", "maya"), **changed) + behind)
        status, _ = await raw.head()
        assert status == 101
        yield raw
