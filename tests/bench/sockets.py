"""The lightest clients of the three servers' sockets: what a load needs of each protocol, alike.

Frames are read by picows and msgspec, and of an event only what is measured. A ``number`` names a
message in its text, so that both sides can be told apart from all others.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tests.bench.people import Person

OPEN_SECONDS: Final = 30
TRIES: Final = 6
PAUSE_SECONDS: Final = 0.5  # before another try
WORDS: Final = "Is the speckled mug safe in the dishwasher, and how high is it?"

Payload = dict[str, Any]


class Message(msgspec.Struct):
    """What is looked at of a message, of Shopbell's or the peer's."""

    message: str
    seq: int = 0
    conversation_id: str = ""
    id: str = msgspec.field(default="", name="_id")  # the peer's

    @property
    def number(self) -> int:
        """0 for one that no load has sent."""
        number = self.message.partition(" ")[0]
        return int(number) if number.isdecimal() else 0


def _nobody(*_: Any) -> None:
    """Hears what nobody waits for."""


class Socket(WSListener):
    """One registered socket of somebody. The ``on_…`` are called as events come."""

    path: ClassVar[str]

    def __init__(self, person: Person) -> None:
        self.person = person
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_open = False
        self.trouble = ""  # what the server said when it refused
        self.on_ack: Callable[[int], None] = _nobody
        self.on_message: Callable[[Message], None] = _nobody
        self.on_typing: Callable[[str], None] = _nobody
        self.on_read: Callable[[], None] = _nobody
        self.on_end: Callable[[str], None] = _nobody
        self._transport: WSTransport

    @classmethod
    async def open(
        cls,
        url: str,
        person: Person,
        since: dict[str, int] | None = None,
        on_message: Callable[[Message], None] = _nobody,
    ) -> "Socket":
        """Returns when it is registered; a busy server is asked again, as clients do. Raises
        ``OSError``, ``TimeoutError`` or picows' errors."""
        tries_left = TRIES
        while True:
            socket = cls(person)
            socket.on_message = on_message
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    await socket._connect(url, since or {})
            except (OSError, TimeoutError):
                if socket.is_open:
                    socket.close()
                tries_left -= 1
                if not tries_left:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return socket

    async def _connect(self, url: str, since: dict[str, int]) -> None:
        await ws_connect(
            lambda: self,
            url.replace("http", "ws", 1) + self.path,
            websocket_handshake_timeout=OPEN_SECONDS,
            extra_headers=self.headers(),
            read_buffer_init_size=2048,
        )
        self.register(since)
        await self.ready

    def headers(self) -> dict[str, str]:
        return {}

    def register(self, since: dict[str, int]) -> None:
        """The first words on a new socket; ``ready`` is done when they are answered."""
        raise NotImplementedError

    def send(self, number: int, to: Person) -> None:
        """Sends somebody the message of this number."""
        raise NotImplementedError

    def type(self, to: Person) -> None:
        """Says that this person composes a message."""
        raise NotImplementedError

    def read(self, message: Message) -> None:
        """Says that this person has read a message."""
        raise NotImplementedError

    def hear(self, payload: bytes) -> None:
        """Takes a text frame."""
        raise NotImplementedError

    def say(self, payload: bytes) -> None:
        self._transport.send(WSMsgType.TEXT, payload)

    def fail(self, payload: bytes) -> None:
        """A refusal spoils a measurement: the socket goes, and its load tells why."""
        self.trouble = payload.decode()
        self.close()

    def close(self) -> None:
        """Cuts the connection, as a network does."""
        self._transport.underlying_transport.abort()

    # --- What picows calls ----------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.is_open = True

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.is_open = False
        self.on_end(self.trouble)
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(self.trouble or "The server hung up."))
            self.ready.exception()  # it may be that nobody waits yet

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self.hear(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


class _Frame(msgspec.Struct):
    event: str
    data: msgspec.Raw
    id: int | None = None


class _Typing(msgspec.Struct):
    sender_id: str


class ShopbellSocket(Socket):
    """Speaks ``shopbell.v1``."""

    path = "/ws"
    _frames = msgspec.json.Decoder(_Frame | list[_Frame])
    _message = msgspec.json.Decoder(Message)
    _typing = msgspec.json.Decoder(_Typing)
    _encode = staticmethod(msgspec.json.encode)

    def headers(self) -> dict[str, str]:
        return {"Sec-WebSocket-Protocol": f"shopbell.v1, bearer.{self.person.token}"}

    def register(self, since: dict[str, int]) -> None:
        self._tell("register_user", {"since": since}, 0)

    def send(self, number: int, to: Person) -> None:
        message = {"message": f"{number} {WORDS}", "client_id": f"message-{number}"}
        self._tell("send_message", {**_recipient(to), **message}, number)

    def type(self, to: Person) -> None:
        self._tell("typing", {**_recipient(to), "is_typing": True})

    def read(self, message: Message) -> None:
        place = {"conversation_id": message.conversation_id, "seq": message.seq}
        self._tell("mark_as_read", place)

    def hear(self, payload: bytes) -> None:
        frames = self._frames.decode(payload)
        for frame in frames if isinstance(frames, list) else [frames]:
            match frame.event:
                case "ack" if frame.id:
                    self.on_ack(frame.id)
                case "ack" if not self.ready.done():
                    self.ready.set_result(None)
                case "new_message":
                    self.on_message(self._message.decode(frame.data))
                case "user_typing":
                    self.on_typing(self._typing.decode(frame.data).sender_id)
                case "message_read":
                    self.on_read()
                case "error":
                    self.fail(payload)

    def _tell(self, event: str, data: Payload, id_: int | None = None) -> None:
        envelope = {"event": event, "data": data}
        self.say(self._encode(envelope if id_ is None else {**envelope, "id": id_}))


class SocketIOSocket(Socket):
    """Speaks Engine.IO 4 and Socket.IO 5 over a WebSocket from the first, as fast clients do.

    ``0…`` opens, ``40`` connects to the main namespace, ``42["event",…]`` tells, ``42ID[…]`` asks,
    ``43ID[…]`` answers, ``2`` and ``3`` are ping and pong.
    """

    path = "/socket.io/?EIO=4&transport=websocket"
    _message = msgspec.json.Decoder(tuple[str, Message])
    _typing = msgspec.json.Decoder(tuple[str, _Typing])
    _encode = staticmethod(msgspec.json.encode)

    def register(self, since: dict[str, int]) -> None:
        """The connection comes first, see ``hear``. ``since`` is nothing that it knows of."""

    def send(self, number: int, to: Person) -> None:
        message = {**_recipient(to), "message": f"{number} {WORDS}"}
        self._tell("send_message", message, str(number))

    def type(self, to: Person) -> None:
        self._tell("typing", {**_recipient(to), "is_typing": True})

    def read(self, message: Message) -> None:
        self._tell("mark_as_read", {"message_id": message.id})

    def hear(self, payload: bytes) -> None:
        if payload.startswith(b"43"):
            number = int(payload[2 : payload.index(b"[")])
            if not payload.startswith(b'[{"ok":true', payload.index(b"[")):
                self.fail(payload)
            if number:
                self.on_ack(number)
            else:
                self.ready.set_result(None)
        elif payload.startswith(b'42["new_message"'):
            self.on_message(self._message.decode(payload[2:])[1])
        elif payload.startswith(b'42["user_typing"'):
            self.on_typing(self._typing.decode(payload[2:])[1].sender_id)
        elif payload.startswith(b'42["message_read"'):
            self.on_read()
        elif payload == b"2":
            self.say(b"3")
        elif payload.startswith(b"0"):
            self.say(b"40" + self._encode({"token": self.person.token}))
        elif payload.startswith(b"40"):
            self._tell("register_user", {}, "0")
        elif payload.startswith(b"44"):
            self.fail(payload)

    def _tell(self, event: str, data: Payload, id_: str = "") -> None:
        self.say(f"42{id_}".encode() + self._encode([event, data]))


class EchoSocket(ShopbellSocket):
    """Speaks to the floor: Shopbell's frames, which come back as they went."""

    def headers(self) -> dict[str, str]:
        return {}

    def register(self, since: dict[str, int]) -> None:
        self.ready.set_result(None)

    def hear(self, payload: bytes) -> None:
        frame = self._frames.decode(payload)
        if frame.event == "send_message":
            self.on_ack(frame.id)
            self.on_message(self._message.decode(frame.data))
        else:
            self.on_typing(self.person.id)


PROTOCOLS: Final[dict[str, type[Socket]]] = {
    "shopbell": ShopbellSocket,
    "node": SocketIOSocket,
    "echo": EchoSocket,
}


def _recipient(to: Person) -> Payload:
    return {"recipient_id": to.id, "recipient_type": to.type}
