"""Tabs that run the real ``realtime.js`` in Node, over real sockets, into a history."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.chaos.history import (
    History,
    canaries,
    canary,
    conversation_of,
    hash_of,
    key,
    pair,
)

SCRIPT: Final = Path(__file__).with_name("tab.js")
LINE_BYTES: Final = 1024 * 1024
SECONDS: Final = 30  # for anything that has to come about

Data = dict[str, Any]
is_missing: Final = shutil.which("node") is None


class Tabs:
    """A Node process with any number of tabs in it. ``async with``; ``kill`` ends it as a crash."""

    def __init__(self, history: History, *, seed: int = 0, hurried: bool = True) -> None:
        self.told: list[Data] = []
        self.counts: Counter[str] = Counter()  # how often each kind of thing was told
        self._hurried = hurried  # waits for the next try are a tenth as long
        self._history = history
        self._seed = seed
        self._who: dict[str, str] = {}
        self._client_ids = count(1)
        self._ends: dict[str, dict[str, int]] = {}  # by tab: what the last registration listed
        self._talks: dict[str, str] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "Tabs":
        self._process = await asyncio.create_subprocess_exec(
            *[shutil.which("node") or "node", "--no-warnings", "--experimental-websocket"],
            str(SCRIPT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        self._reading = asyncio.get_running_loop().create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ConnectionError):
            self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def kill(self) -> None:
        """SIGKILL: no tab in it says goodbye."""
        self._process.kill()
        await self._process.wait()

    # --- What a person does ---------------------------------------------------------------------

    def open(self, server: Any, type_: str, id_: str, tab: str, *, url: str | None = None) -> str:
        """Opens a tab of somebody who has no conversation yet; returns its name."""
        name = f"{id_} {tab}"
        self._who[name] = key(type_, id_)
        token = server.token(type_, id_)
        where = {"url": url or server.url, "token": token, "hurried": self._hurried}
        self.do("open", tab=name, **where, seed=self._seed + len(self._who))
        return name

    def send(self, tab: str, to: tuple[str, str], text: str, client_id: str = "") -> str:
        """Has a tab send a message; returns its ``client_id``."""
        client_id = client_id or f"{tab.replace(' ', '-')}-{next(self._client_ids)}"
        talk = pair(self._who[tab], key(*to))
        text = f"{canary(talk)} {text}"
        same = {"client_id": client_id, "hash": hash_of(text), "sender": self._who[tab]}
        self._history.add(tab, self._who[tab], "send", talk, "invoke", **same)
        draft = {"recipient_type": to[0], "recipient_id": to[1], "message": text}
        self.do("send", tab=tab, draft={**draft, "client_id": client_id})
        return client_id

    def do(self, command: str, **how: Any) -> None:
        self._process.stdin.write((json.dumps({"do": command, **how}) + "\n").encode())

    async def until(self, is_so: Callable[[], object], seconds: float = SECONDS) -> None:
        """Waits, line by line of what tabs tell. Raises ``TimeoutError``."""
        async with asyncio.timeout(seconds):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    def of(self, tab: str, told: str) -> list[Data]:
        """What a tab has told so far, of one kind."""
        return [line for line in self.told if line["tab"] == tab and line["told"] == told]

    def end(self, tab: str) -> None:
        """This tab had its time: the checker demands that it shows all."""
        for talk in {line.conversation for line in self._history if line.op == "stored"}:
            if self._who[tab] in talk.split("|"):
                self._history.add(tab, self._who[tab], "end", talk)

    # --- What tabs tell -------------------------------------------------------------------------

    async def _read(self) -> None:
        while line := await self._process.stdout.readline():
            told: Data = json.loads(line)
            for word in set(canaries(line.decode())):
                self._history.add(told["tab"], self._who[told["tab"]], "hear", "", note=word)
            getattr(self, f"_{told['told']}", self._nothing)(told["tab"], told)
            self.told.append(told)
            self.counts[told["told"]] += 1
            self._changed.set()

    def _nothing(self, tab: str, told: Data) -> None:
        pass

    def _registered(self, tab: str, told: Data) -> None:
        self._ends[tab] = dict(told["ends"])

    def _message(self, tab: str, told: Data) -> None:
        self._place(tab, told["message"])
        self._history.add_message(tab, self._who[tab], "receive", told["message"])

    def _stored(self, tab: str, told: Data) -> None:
        message, who = told["message"], self._who[tab]
        self._place(tab, message)
        same = {"client_id": message["client_id"], "sender": who, "seq": message["seq"]}
        talk = conversation_of(message)
        text = hash_of(message["message"])
        self._history.add(tab, who, "send", talk, "ok", **same, hash=text)

    def _refused(self, tab: str, told: Data) -> None:
        self._history.add(tab, self._who[tab], "send", "", "fail", client_id=told["client_id"])

    def _place(self, tab: str, message: Data) -> None:
        id_ = message["conversation_id"]
        self._talks[id_] = conversation_of(message)
        if (tab, id_) not in self._positions:  # nobody had spoken when it was opened
            self._history.add(tab, self._who[tab], "start", self._talks[id_], seq=0)
        self._positions[tab, id_] = max(message["seq"], self._positions.get((tab, id_), 0))

    def _reset(self, tab: str, told: Data) -> None:
        id_ = told["conversation_id"]
        talk, last = self._talks.get(id_, ""), self._ends[tab].get(id_, 0)
        position = self._positions.get((tab, id_), 0)
        self._history.add(tab, self._who[tab], "reset", talk, seq=position, last=last)

    def _receipt(self, tab: str, told: Data) -> None:
        data = told["data"]
        talk = self._talks.get(data["conversation_id"])
        if talk is not None:
            note = f"{told['kind']} by {data['user_id']}"
            self._history.add(tab, self._who[tab], "receipt", talk, note=note, seq=data["seq"])
