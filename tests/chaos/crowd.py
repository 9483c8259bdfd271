"""Thousands of WebSockets in one process: the least client that stays connected and measures."""

import asyncio
import base64
import json
import os
import resource
import struct
from collections.abc import Callable, Iterable
from itertools import count
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any, Final
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
NO_MASK: Final = b"\0\0\0\0"  # allowed, and free
AT_ONCE: Final = 25  # handshakes under way
SECONDS: Final = 30
TRIES: Final = 20
PAUSE: Final = 0.5  # seconds before another try

Data = dict[str, Any]


class LightSocket(asyncio.Protocol):
    """One socket. Answers pings; what comes is decoded only if somebody wants to ``hear`` it."""

    def __init__(self, host: str, token: str, hear: Callable[[Data], None] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.registered: asyncio.Future[None] = loop.create_future()
        self.is_closed = False
        self._hear = hear
        self._bytes = b""
        self._is_open = False
        key = base64.b64encode(os.urandom(16)).decode()
        self._greeting = (
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: shopbell.v1, bearer.{token}\r\n\r\n"
        )

    @classmethod
    async def open(
        cls, url: str, token: str, hear: Callable[[Data], None] | None = None
    ) -> "LightSocket":
        """Opens one, and returns when it is registered; a busy server is asked again. Raises
        ``OSError`` or ``TimeoutError``."""
        for _ in range(TRIES):
            try:
                return await cls._open(url, token, hear)
            except (ConnectionError, TimeoutError):
                await asyncio.sleep(PAUSE)
        return await cls._open(url, token, hear)

    @classmethod
    async def _open(
        cls, url: str, token: str, hear: Callable[[Data], None] | None
    ) -> "LightSocket":
        where = urlsplit(url)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SECONDS):
            _, socket = await loop.create_connection(
                lambda: cls(where.netloc, token, hear), where.hostname or "", where.port or 80
            )
            await socket.opened
            socket.tell("register_user", {}, 0)
            await socket.registered
        return socket

    def tell(self, event: str, data: Data, id_: int) -> None:
        self._write(TEXT, json.dumps({"event": event, "data": data, "id": id_}).encode())

    def pause(self, buffer_bytes: int) -> None:
        """Reads no more, and takes the system's buffer, which would hold megabytes."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_RCVBUF, buffer_bytes)
        self._transport.pause_reading()

    def close(self) -> None:
        self._transport.abort()

    # --- asyncio's side -------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._greeting.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        for step in (self.opened, self.registered):
            if not step.done():
                step.set_exception(ConnectionError("It was refused."))
                step.exception()  # somebody waits for one of them at most

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if not self._is_open:
            head, end, rest = self._bytes.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._transport.abort()
                return
            self._bytes, self._is_open = rest, True
            self.opened.set_result(None)
        while (frame := self._take()) is not None:
            opcode, payload = frame
            if opcode == PING:
                self._write(PONG, payload)
            elif opcode == CLOSE:
                self._write(CLOSE, payload)
                self._transport.close()
            elif opcode == TEXT:
                self._read(payload)

    def _read(self, payload: bytes) -> None:
        if self.registered.done() and self._hear is None:
            return
        content = json.loads(payload)
        for event in content if isinstance(content, list) else [content]:
            if self._hear is not None:
                self._hear(event)
            if event["event"] == "ack" and not self.registered.done():
                self.registered.set_result(None)
            elif event["event"] == "error" and not self.registered.done():
                self._transport.abort()

    def _take(self) -> tuple[int, bytes] | None:
        waiting = self._bytes
        if len(waiting) < 2:
            return None
        length, start = waiting[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(waiting) < start:
                return None
            length = int.from_bytes(waiting[2:start], "big")
        if len(waiting) < start + length:
            return None
        self._bytes = waiting[start + length :]
        return waiting[0] & 0x0F, waiting[start : start + length]

    def _write(self, opcode: int, payload: bytes) -> None:
        head = bytes([0x80 | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        else:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        self._transport.write(head + NO_MASK + payload)


async def open_many(server: Any, names: Iterable[str]) -> list[LightSocket]:
    """One idle socket for each of these buyers."""
    waiting = iter(names)
    sockets: list[LightSocket] = []

    async def open_some() -> None:
        for name in waiting:
            socket = await LightSocket.open(server.url, server.token("Buyer", name))
            sockets.append(socket)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(open_some())
    return sockets


def allow_descriptors() -> int:
    """Lets this process, and those it starts, open as many as the system allows; returns that."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Traffic:
    """Buyers who write to Omar at a steady pace, whatever becomes of it; and what it took.

    ``acked`` and ``received`` are seconds from the moment at which a message was due.
    """

    def __init__(self, server: Any, *, buyers: int = 20, called: str = "buyer") -> None:
        self.sent = self.holes = self.refused = 0
        self.acked: list[float] = []
        self.received: list[float] = []
        self._server = server
        self._names = [f"{called}-{number}" for number in range(buyers)]
        self._due: dict[str, float] = {}
        self._due_by_id: dict[int, float] = {}
        self._positions: dict[str, int] = {}
        self._numbers = count(1)
        self._sockets: list[LightSocket] = []

    async def open(self) -> None:
        omar = await LightSocket.open(
            self._server.url, self._server.token("Seller", "omar"), self._omar_hears
        )
        self._omar = omar
        for name in self._names:
            token = self._server.token("Buyer", name)
            self._sockets.append(await LightSocket.open(self._server.url, token, self._buyer_hears))

    async def run(self, per_second: float, seconds: float) -> None:
        """Sends at this pace, and returns when all is answered or nothing has come for long."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(int(per_second * seconds)):
            due = begun + number / per_second
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._send(self._sockets[number % len(self._sockets)], due)
        for _ in range(int(SECONDS / 0.1)):
            if len(self.acked) + self.refused == self.sent and not self._due:
                break
            await asyncio.sleep(0.1)

    def forget(self) -> None:
        """Begins a new measurement."""
        self.sent = self.holes = self.refused = 0
        self.acked.clear()
        self.received.clear()

    def close(self) -> None:
        for socket in [self._omar, *self._sockets]:
            socket.close()

    @property
    def lost(self) -> int:
        """Acknowledged and never heard by Omar, or never answered at all."""
        return self.sent - self.refused - len(self.received)

    def _send(self, socket: LightSocket, due: float) -> None:
        number = next(self._numbers)
        client_id = f"message-{number}"
        self._due[client_id] = self._due_by_id[number] = due
        self.sent += 1
        recipient = {"recipient_id": "omar", "recipient_type": "Seller"}
        text = f"Is number {number} safe in the dishwasher?"
        data = {**recipient, "message": text, "client_id": client_id}
        socket.tell("send_message", data, number)

    def _buyer_hears(self, frame: Data) -> None:
        if frame["event"] in {"ack", "error"}:
            due = self._due_by_id.pop(frame["id"] or 0, None)
            if due is not None and frame["event"] == "ack":
                self.acked.append(asyncio.get_running_loop().time() - due)
            elif due is not None:
                self.refused += 1
                self._due.pop(f"message-{frame['id']}", None)

    def _omar_hears(self, frame: Data) -> None:
        if frame["event"] == "ack":
            for conversation in frame["data"]["conversations"]:
                self._positions[conversation["id"]] = conversation["last_seq"]
        elif frame["event"] == "new_message":
            message = frame["data"]
            due = self._due.pop(message["client_id"], None)
            if due is not None:
                self.received.append(asyncio.get_running_loop().time() - due)
            last = self._positions.get(message["conversation_id"], 0)
            self.holes += message["seq"] != last + 1
            self._positions[message["conversation_id"]] = message["seq"]
