"""Clients that know the contract and nothing of the program inside, and write a history of what
they did and saw."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final, NamedTuple

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError
from tornado.websocket import WebSocketClosedError, websocket_connect

from tests.caller import call
from tests.chaos.history import History, canaries, canary, conversation_of, hash_of, key, pair
from tests.sockets.client import spoken

PATIENCE: Final = 6.0  # seconds for an answer: 5 s are the server's own limit for the database
PAUSE: Final = 0.1  # seconds before another try, here where nobody else is on the machine
AWAY: Final = (HTTPClientError, HTTPStreamClosedError, HTTPTimeoutError, OSError, TimeoutError)
GONE: Final = (*AWAY, WebSocketClosedError)
PASSING: Final = frozenset({"unavailable", "internal", "not_registered", "rate_limited"})

Data = dict[str, Any]


class End(NamedTuple):
    """What a conversation is called in the history, and its last ``seq``."""

    talk: str
    seq: int


Ends = dict[str, End]  # by the conversations' ids


class Refused(Exception):
    """The server refused for good; its code."""


class Device:
    """One socket of somebody that is always brought back, as the contract asks of clients.

    It shows each message once and in order, asks for what it missed, confirms what it read if
    ``reads``, and sends until it is answered. ``server`` has ``url`` and ``token(type, id)``;
    ``url`` leads through a proxy instead.
    """

    def __init__(
        self,
        server: Any,
        history: History,
        type_: str,
        id_: str,
        *,
        name: str = "1",
        url: str | None = None,
        reads: bool = False,
    ) -> None:
        self.type, self.id, self.who = type_, id_, key(type_, id_)
        self.name = f"{id_} {name}"
        self.positions: dict[str, int] = {}  # all up to here were shown
        self.epoch: str | None = None
        self.connected = asyncio.Event()
        self.connections = 0
        self._server, self._url = server, url
        self._history = history
        self._token = server.token(type_, id_)
        self._reads = reads
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Data]] = {}
        self._own: set[tuple[str, int]] = set()  # acknowledged, and behind a hole
        self._heard: set[str] = set()
        self._talks: dict[str, str] = {}  # conversation ids and what the history calls them

    # --- Staying connected ----------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drop()

    def url(self) -> str:
        return self._url or self._server.url

    async def _run(self) -> None:
        while True:
            try:
                await self._connect()
                await self._read()
            except GONE:
                pass
            await self._drop()
            await asyncio.sleep(PAUSE)

    async def _connect(self) -> None:
        request = HTTPRequest(
            f"{self.url().replace('http', 'ws')}/ws",
            connect_timeout=PATIENCE,
            request_timeout=PATIENCE,
        )
        async with asyncio.timeout(PATIENCE):
            self._socket = await websocket_connect(request, subprotocols=spoken(self._token))
        self._register(dict(self.positions))

    def _register(self, since: dict[str, int]) -> None:
        data = {"since": since, **({"epoch": self.epoch} if self.epoch else {})}
        self._later(self._ask("register_user", data), self._registered)

    def _later(self, work: Coroutine[Any, Any, Data], then: Callable[[Data], None]) -> None:
        """Asks while reading goes on; who does not answer is left."""

        def done(task: "asyncio.Task[Data]") -> None:
            if not task.cancelled() and task.exception() is None:
                then(task.result())

        asyncio.get_running_loop().create_task(work).add_done_callback(done)

    def _registered(self, ack: Data) -> None:
        self.epoch = ack["epoch"]
        self.connections += 1
        missed: dict[str, int] = {}
        for conversation in ack["conversations"]:
            id_ = conversation["id"]
            one, other = conversation["participants"]
            self._talks[id_] = pair(key(one["type"], one["id"]), key(other["type"], other["id"]))
            if id_ not in self.positions:
                self._begin(id_, conversation["first_seq"] - 1)
                if conversation["last_seq"] > self.positions[id_]:
                    missed[id_] = self.positions[id_]
            for participant in (one, other):
                for mark in ("delivered_seq", "read_seq"):
                    self._receipt(id_, f"{mark} of {participant['id']}", participant[mark])
        if missed:
            self._register(missed)
        self.connected.set()

    async def _drop(self) -> None:
        self.connected.clear()
        socket, self._socket = self._socket, None
        for answer in self._waiting.values():
            answer.cancel()
        self._waiting.clear()
        if socket is not None:
            _cut(socket)
            while await socket.read_message() is not None:
                pass

    # --- Reading --------------------------------------------------------------------------------

    async def _read(self) -> None:
        while (text := await self._socket.read_message()) is not None:
            for word in canaries(text):
                if word not in self._heard:
                    self._heard.add(word)
                    self._history.add(self.name, self.who, "hear", "", note=word)
            frames = json.loads(text)
            for frame in frames if isinstance(frames, list) else [frames]:
                self._take(frame)
        self._socket.close()
        self._socket = None  # read to its end; another read would wait for ever

    def _take(self, frame: Data) -> None:
        event, data = frame["event"], frame["data"]
        if event in {"ack", "error"}:
            answer = self._waiting.pop(frame["id"] or 0, None)
            if answer is not None and not answer.done():
                answer.set_result(frame)
        elif event == "new_message":
            self._show(data)
        elif event == "reset":
            self._reset(data["conversation_id"])
        elif event in {"message_read", "message_delivered"}:
            self._receipt(data["conversation_id"], f"{event} of {data['user_id']}", data["seq"])

    def _show(self, message: Data) -> None:
        id_, seq = message["conversation_id"], message["seq"]
        self._talks.setdefault(id_, conversation_of(message))
        if id_ not in self.positions:
            self._begin(id_, 0)
        self._skip_own(id_)
        if seq == self.positions[id_] + 1:
            self.positions[id_] = seq
            self._history.add_message(self.name, self.who, "receive", message)
            self._skip_own(id_)
            if self._reads and message["sender_id"] != self.id:
                self._read_up_to(id_, seq)
        elif seq > self.positions[id_]:
            self._register({id_: self.positions[id_]})  # and this one comes again

    def _read_up_to(self, id_: str, seq: int) -> None:
        def then(ack: Data) -> None:
            self._receipt(id_, f"read_seq of {self.id}", ack["read_seq"])

        self._later(self._ask("mark_as_read", {"conversation_id": id_, "seq": seq}), then)

    def _begin(self, id_: str, position: int) -> None:
        self.positions[id_] = position
        talk = self._talks[id_]
        self._history.add(self.name, self.who, "start", talk, seq=position)

    def _skip_own(self, id_: str) -> None:
        while (id_, self.positions[id_] + 1) in self._own:
            self.positions[id_] += 1
            self._own.discard((id_, self.positions[id_]))

    def _reset(self, id_: str) -> None:
        stored = [line.seq or 0 for line in self._history if line.conversation == self._talks[id_]]
        last, position = max(stored, default=0), self.positions.pop(id_)
        talk = self._talks[id_]
        self._history.add(self.name, self.who, "reset", talk, seq=position, last=last)

    def _receipt(self, id_: str, mark: str, seq: int) -> None:
        if id_ in self._talks:
            talk = self._talks[id_]
            self._history.add(self.name, self.who, "receipt", talk, note=mark, seq=seq)

    # --- Sending --------------------------------------------------------------------------------

    async def send(
        self, to: tuple[str, str], text: str, client_id: str, *, door: str = "socket"
    ) -> Data | None:
        """Sends a message until it is answered, and returns it as it was stored; None if it was
        refused for good. The text is led by its conversation's canary."""
        talk = pair(self.who, key(*to))
        text = f"{canary(talk)} {text}"
        same: Data = {"client_id": client_id, "hash": hash_of(text), "sender": self.who}
        recipient = {"recipient_id": to[1], "recipient_type": to[0]}
        data = {**recipient, "message": text, "client_id": client_id}
        once = self._post if door == "http" else self._say
        while True:
            self._history.add(self.name, self.who, "send", talk, "invoke", **same)
            try:
                message = await once(data)
            except Refused:
                self._history.add(self.name, self.who, "send", talk, "fail", **same)
                return None
            except (*GONE, asyncio.CancelledError) as error:
                self._history.add(self.name, self.who, "send", talk, "unknown", **same)
                if isinstance(error, asyncio.CancelledError) and self._is_cancelled():
                    raise
                await asyncio.sleep(PAUSE)
                continue
            self._history.add(self.name, self.who, "send", talk, "ok", seq=message["seq"], **same)
            self._talks.setdefault(message["conversation_id"], talk)
            if door == "socket":  # by HTTP nobody knows that it was this device
                self._stored(message)
            return message

    def _stored(self, message: Data) -> None:
        id_ = message["conversation_id"]
        if id_ not in self.positions:
            self._begin(id_, 0)
        if message["seq"] > self.positions[id_]:
            self._own.add((id_, message["seq"]))
            self._skip_own(id_)

    def _is_cancelled(self) -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def _say(self, data: Data) -> Data:
        async with asyncio.timeout(PATIENCE):
            await self.connected.wait()
        message: Data = (await self._ask("send_message", data))["message"]
        return message

    async def _post(self, data: Data) -> Data:
        where = _Where(self.url())
        answer = await call(where, "POST", "/api/messages/send", data, token=self._token)
        if answer.status in {200, 201}:
            message: Data = answer.body["message"]
            return message
        if answer.refusal[1] in PASSING:
            raise TimeoutError
        raise Refused(answer.refusal[1])

    async def _ask(self, event: str, data: Data) -> Data:
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        if self._socket is None:
            raise WebSocketClosedError
        await self._socket.write_message(json.dumps({"event": event, "data": data, "id": number}))
        try:
            async with asyncio.timeout(PATIENCE):
                frame: Data = await answer
        except TimeoutError:
            if self._socket is not None:
                _cut(self._socket)  # come back on another one
            raise
        if frame["event"] == "error":
            if frame["data"]["code"] in PASSING:
                raise TimeoutError
            raise Refused(frame["data"]["code"])
        acknowledged: Data = frame["data"]
        return acknowledged

    # --- At the end -----------------------------------------------------------------------------

    async def end(self, last: Ends, seconds: float = 30) -> None:
        """Waits until it shows all there is for it. Whether it did is the checker's to say."""
        mine = {id_: end for id_, end in last.items() if self.who in end.talk.split("|")}
        try:
            async with asyncio.timeout(seconds):
                while any(self.positions.get(id_, 0) < end.seq for id_, end in mine.items()):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        for end in mine.values():
            self._history.add(self.name, self.who, "end", end.talk)


def _cut(socket: Any) -> None:
    """Ends a socket without a word: the way may be dead, and nobody waits for an answer."""
    protocol = socket.protocol
    socket.close()
    if protocol is not None:
        protocol.stream.close()


class _Where:
    """What ``call`` takes for a server."""

    def __init__(self, url: str) -> None:
        self.url = url


async def read_all(server: Any, history: History, type_: str, id_: str) -> Ends:
    """Reads every conversation of somebody to its end, page by page, into the history as what is
    ``stored``; returns where each one ends."""
    token = server.token(type_, id_)
    last: Ends = {}
    for conversation in await _conversations(server, token):
        [other] = [p for p in conversation["participants"] if (p["type"], p["id"]) != (type_, id_)]
        path = f"/api/messages/conversation/{other['id']}/{other['type']}?limit=100&after="
        after = 0
        for _ in range(10_000):
            body = (await call(server, "GET", f"{path}{after}", token=token)).body
            for message in body["messages"]:
                history.add_message("truth", key(type_, id_), "stored", message)
                after = message["seq"]
            if not body["has_more"]:
                break
        talk = pair(key(type_, id_), key(other["type"], other["id"]))
        last[conversation["id"]] = End(talk, after)
    return last


async def _conversations(server: Any, token: str) -> list[Data]:
    found: list[Data] = []
    cursor = ""
    for _ in range(100):
        path = f"/api/conversations?limit=100{cursor}"
        body = (await call(server, "GET", path, token=token)).body
        found += body["conversations"]
        if body["next"] is None:
            break
        cursor = f"&before={body['next']}"
    return found
