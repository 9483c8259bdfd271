"""Real processes are killed under load: what was acknowledged is there, once, in order."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError
from tornado.websocket import WebSocketClosedError, websocket_connect

from models.conversation import Participant
from models.tokens import Tokens
from tests.caller import call
from tests.chaos.checker import faults, receipt_faults
from tests.sockets.client import spoken

ROOT = Path(__file__).parents[2]
KILLS = 10
WRITERS = ["maya", "lena", "nina", "tara"]
PATIENCE = 6.0  # seconds that a writer waits for an answer before it connects anew
AWAY = (HTTPClientError, HTTPStreamClosedError, OSError, TimeoutError, WebSocketClosedError)


class ServerProcess:
    """The server with its embedded database, always on the same port and directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = ""
        self._port = 0
        self._process: Any = None

    async def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SHOPBELL_")}
        self._process = await asyncio.create_subprocess_exec(
            *[sys.executable, str(ROOT / "server.py"), f"--port={self._port}"],
            *[f"--data-dir={self.directory}", "--rate-limits=off"],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
        async with asyncio.timeout(30):
            ready = (await self._process.stdout.readline()).decode()
        self.url = ready.removeprefix("Shopbell is listening on ").strip()
        self._port = int(self.url.rpartition(":")[2])

    def token(self, type_: Literal["Buyer", "Seller"], id_: str) -> str:
        secret, identity = (
            (self.directory / name).read_text().strip() for name in ("secret", "identity-secret")
        )
        return Tokens(secret, identity).issue(Participant(type_, id_), id_, seconds=3600)

    async def kill(self, what: str) -> None:
        """SIGKILL to the server, to its database, or to both; then a server is there again."""
        pid = self._process.pid
        engine = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if what in {"engine", "both"}:
            for child in engine:
                os.kill(int(child), signal.SIGKILL)
        if what in {"server", "both"}:
            self._process.kill()
            await self._process.wait()
            await self.start()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(12):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


class Writer:
    """Sends one message after the other, each under its ``client_id`` until it is acknowledged."""

    def __init__(
        self, server: ServerProcess, name: str, type_: Literal["Buyer", "Seller"] = "Buyer"
    ) -> None:
        self.name = name
        self.sent: set[str] = set()
        self.acked: dict[str, int] = {}
        self._server = server
        self._token = server.token(type_, name)
        self._socket: Any = None

    async def register(self) -> None:
        request = HTTPRequest(f"{self._server.url.replace('http', 'ws')}/ws")
        self._socket = await websocket_connect(request, subprotocols=spoken(self._token))
        await self._ask("register_user", {})

    async def write(self, enough: asyncio.Event) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            await self._send(f"{self.name}-{number}")

    async def _send(self, client_id: str) -> None:
        self.sent.add(client_id)
        while client_id not in self.acked:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._deliver(client_id)
            except AWAY:
                await self.close()
                await asyncio.sleep(0.1)

    async def _deliver(self, client_id: str) -> None:
        if self._socket is None:
            await self.register()
        data = {"recipient_id": "omar", "recipient_type": "Seller", "client_id": client_id}
        answer = await self._ask("send_message", {**data, "message": client_id})
        if answer["event"] == "ack":
            self.acked[client_id] = answer["data"]["message"]["seq"]
        else:
            assert answer["data"]["code"] in {"unavailable", "not_registered", "internal"}, answer
            await asyncio.sleep(0.1)

    async def _ask(self, event: str, data: dict) -> dict:
        await self._socket.write_message(json.dumps({"event": event, "data": data, "id": 1}))
        while (text := await self._socket.read_message()) is not None:
            frames = json.loads(text)
            for frame in frames if isinstance(frames, list) else [frames]:
                if frame["event"] in {"ack", "error"} and frame["id"] == 1:
                    return frame
        self._socket.close()
        self._socket = None  # read to its end; another read would wait for ever
        raise WebSocketClosedError

    async def close(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()
            while await socket.read_message() is not None:
                pass


class Reader:
    """Reads what there is, again and again, and remembers how far it was told that it has read."""

    def __init__(self, server: ServerProcess) -> None:
        self.told: list[tuple[str, int]] = []
        self._server = server
        self._token = server.token("Seller", "omar")

    async def read(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            for name in WRITERS:
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._read(name)
                except AWAY:
                    await asyncio.sleep(0.1)

    async def _read(self, name: str) -> None:
        page = await self._ask("GET", f"/api/messages/conversation/{name}/Buyer?limit=1")
        if not page["messages"]:
            return
        for participant in page["conversation"]["participants"]:
            for kind in ("delivered_seq", "read_seq"):
                self.told.append((f"{kind} of {participant['id']} with {name}", participant[kind]))
        last = page["messages"][-1]
        if last["sender_id"] == name:
            await self._ask("PUT", f"/api/messages/{last['id']}/read")
            self.told.append((f"read_seq of omar with {name}", last["seq"]))

    async def _ask(self, method: str, path: str) -> Any:
        answer = await call(self._server, method, path, token=self._token)
        if answer.status == 503:
            raise TimeoutError
        assert answer.status == 200, answer
        return answer.body


async def everything_of(server: ServerProcess, name: str, token: str) -> list[dict]:
    """A whole conversation, read page by page."""
    messages: list[dict] = []
    for _ in range(1000):
        path = f"/api/messages/conversation/{name}/Buyer?limit=100&after={len(messages)}"
        body = (await call(server, "GET", path, token=token)).body
        messages += body["messages"]
        if not body["has_more"]:
            return messages
    raise AssertionError("The pages do not end.")


@pytest.mark.chaos
@pytest.mark.skipif(sys.platform != "linux", reason="finds the database's process in /proc")
@pytest.mark.gen_test(timeout=170)
async def test_ten_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path):
    seed = int(os.environ.get("SHOPBELL_TEST_SEED") or random.randrange(2**32))
    chance = random.Random(seed)
    server = ServerProcess(tmp_path / "data")
    await server.start()
    try:
        seller = server.token("Seller", "omar")
        omar = Writer(server, "omar", "Seller")
        await omar.register()  # now he is known
        await omar.close()
        enough = asyncio.Event()
        writers = [Writer(server, name) for name in WRITERS]
        reader = Reader(server)
        writing = [asyncio.ensure_future(writer.write(enough)) for writer in writers]
        writing.append(asyncio.ensure_future(reader.read(enough)))
        for kill in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            await server.kill(["server", "engine", "both"][kill % 3])
        enough.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*writing)
        told = f"SHOPBELL_TEST_SEED={seed}"
        assert receipt_faults(reader.told) == [], told
        assert len(reader.told) > KILLS, told
        for writer in writers:
            stored = await everything_of(server, writer.name, seller)
            assert faults(writer.sent, writer.acked, stored) == [], told
            assert len(writer.acked) >= KILLS, told  # it was under load
            await writer.close()
    finally:
        await server.stop()
