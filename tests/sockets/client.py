"""An outsider's client of the socket: it knows the contract, and nothing of the program inside."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection

SECONDS = 10  # how long anything may take before a test gives up on it
SUBPROTOCOL = "shopbell.v1"

Data = dict[str, Any]
Connect = Callable[..., Awaitable["Client"]]


def spoken(token: str) -> list[str]:
    """The subprotocols that introduce somebody."""
    return [SUBPROTOCOL, f"bearer.{token}"]


class Refused(Exception):
    """The server answered with an error; ``data`` is what it said."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self.data = data


class Client:
    """One socket. ``ask`` for what has an answer, ``hear`` what comes by itself.

    Arrays are unpacked; what was not asked for waits in ``heard`` until a test takes it.
    """

    def __init__(self, socket: WebSocketClientConnection, type_: str = "", id_: str = "") -> None:
        self.socket = socket
        self.type, self.id = type_, id_
        self.ack: Data = {}  # what answered register_user
        self.heard: list[Data] = []
        self.texts: list[str] = []  # every frame as it came
        self.batches: list[int] = []  # how many events came in each frame
        self._numbers = count(1)

    # --- Asking ---------------------------------------------------------------------------------

    async def write(self, text: str | bytes) -> None:
        """Sends a frame as it stands, whatever it may be."""
        await self.socket.write_message(text, binary=isinstance(text, bytes))

    async def tell(self, event: str, data: Any = None, **envelope: Any) -> None:
        """Sends an event and asks for no answer."""
        await self.write(json.dumps({"event": event, "data": data or {}, **envelope}))

    async def start(self, event: str, data: Any = None) -> int:
        """Sends an event, and returns the id that its answer will bear."""
        number = next(self._numbers)
        await self.tell(event, data, id=number)
        return number

    async def hear_answer(self, frame_id: object) -> Data:
        """The whole frame that answers a frame."""
        return await self._next(lambda f: f["event"] in {"ack", "error"} and f["id"] == frame_id)

    async def answer(self, frame_id: object) -> Data:
        """The ack's data for a frame. Raises ``Refused``."""
        frame = await self.hear_answer(frame_id)
        if frame["event"] == "error":
            raise Refused(frame["data"])
        return frame["data"]

    async def ask(self, event: str, data: Any = None) -> Data:
        """Sends an event, and returns what it was acknowledged with. Raises ``Refused``."""
        return await self.answer(await self.start(event, data))

    async def refusal(self, event: str, data: Any = None) -> Data:
        """Sends an event that is to be refused, and returns the error's data."""
        try:
            answer = await self.ask(event, data)
        except Refused as refused:
            return refused.data
        raise AssertionError(f"{event} {data} was not refused but answered: {answer}")

    async def error(self) -> Data:
        """The next error that answers no id."""
        return (await self._next(lambda f: f["event"] == "error" and f["id"] is None))["data"]

    # --- Hearing --------------------------------------------------------------------------------

    async def hear(self, event: str, **expected: object) -> Data:
        """The data of the next event of this name, with these values."""

        def is_wanted(frame: Data) -> bool:
            data = frame["data"]
            return frame["event"] == event and all(data[k] == v for k, v in expected.items())

        return (await self._next(is_wanted))["data"]

    async def heard_so_far(self, *events: str) -> list[Data]:
        """All but beats that was due to this socket by now and that no test took, or only these
        events."""
        await self.refusal("are_you_there")  # its answer stands behind what was due before
        heard = [frame for frame in self.heard if frame["event"] != "beat"]
        return [frame for frame in heard if not events or frame["event"] in events]

    async def closed(self) -> int:
        """The code with which the server closed the socket."""
        async with asyncio.timeout(SECONDS):
            while await self._read():
                pass
        code = self.socket.close_code
        assert code is not None, "The connection was cut without a code."
        return code

    async def leave(self) -> None:
        """Closes the socket, and waits until the server has answered that."""
        self.socket.close()
        async with asyncio.timeout(SECONDS):
            while await self._read():
                pass

    async def _next(self, is_wanted: Callable[[Data], bool]) -> Data:
        passed = 0
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    for index in range(passed, len(self.heard)):
                        if is_wanted(self.heard[index]):
                            return self.heard.pop(index)
                    passed = len(self.heard)
                    assert await self._read(), f"closed with {self.socket.close_code}"
        except TimeoutError:
            raise AssertionError(f"It did not come; these did: {self.heard}") from None

    async def _read(self) -> bool:
        """Takes in one frame; false when the socket is closed."""
        text = await self.socket.read_message()
        if text is None:
            return False
        self.texts.append(str(text))
        frame = json.loads(text)
        frames = frame if isinstance(frame, list) else [frame]
        self.batches.append(len(frames))
        self.heard += frames
        return True

    # --- What people do -------------------------------------------------------------------------

    def message_to(self, other: "Client", message: str = "Hello", **more: Any) -> Data:
        """The data of a ``send_message`` to somebody."""
        recipient = {"recipient_id": other.id, "recipient_type": other.type}
        return {**recipient, "message": message, **more}

    async def send(self, other: "Client", message: str = "Hello", **more: Any) -> Data:
        """Sends somebody a message, and returns it as it was stored."""
        answer = await self.ask("send_message", self.message_to(other, message, **more))
        return answer["message"]

    async def send_many(self, other: "Client", texts: list[str]) -> list[Data]:
        """Sends messages without waiting in between, and returns them as they were stored."""
        numbers = [await self.start("send_message", self.message_to(other, text)) for text in texts]
        return [(await self.answer(number))["message"] for number in numbers]


async def knock(open_socket: Any, server: Any, path: str = "/ws", **how: Any) -> tuple[int, Data]:
    """Tries to open a socket: 101, or the status and the error of the refusal."""
    try:
        await open_socket(server.url + path, **how)
    except HTTPClientError as error:
        body = error.response.body if error.response else b""
        return error.code, json.loads(body)["error"]
    return 101, {}
