"""A window's connection in the hands of a test: what passes, and what the server seems to say."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

Frame = dict[str, Any]


class Wire:
    """Stands between the page and the server's ``/ws``, and lets everything through at first."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []  # by the page
        self.closes_with: int | None = None  # instead of connecting
        self.holds: Callable[[Frame], bool] = lambda frame: False  # what the page does not hear
        self.answers: Callable[[Frame], Frame | None] = lambda frame: None  # the server never sees
        self._page: Any = None
        self._server: Any = None

    async def tap(self, page: Any) -> None:
        await page.route_web_socket(re.compile("/ws$"), self._connect)

    def events(self, name: str) -> list[Frame]:
        """What the page has said of one kind."""
        return [frame["data"] for frame in self.sent if frame["event"] == name]

    def say(self, event: str, data: Frame) -> None:
        """In the server's name."""
        self._page.send(json.dumps({"event": event, "data": data}))

    async def until(self, seen: Callable[[], bool]) -> None:
        """Waits for what the page says; the test's own time limit ends it."""
        while not seen():
            await asyncio.sleep(0.02)

    async def close(self, code: int) -> None:
        await self._page.close(code=code)

    def refuse(self, code: str, **more: Any) -> None:
        """Every message from now on."""
        self.answers = lambda frame: (
            {
                "event": "error",
                "id": frame["id"],
                "data": {"code": code, "message": "No.", **more},
            }
            if frame["event"] == "send_message"
            else None
        )

    def relent(self) -> None:
        """All passes again."""
        self.answers = lambda frame: None
        self.holds = lambda frame: False
        self.closes_with = None

    async def _connect(self, page: Any) -> None:
        if self.closes_with is not None:
            await page.close(code=self.closes_with)
            return
        self._page = page
        self._server = page.connect_to_server()
        page.on_message(self._said)
        self._server.on_message(self._heard)

    def _said(self, text: str) -> None:
        frame = json.loads(text)
        self.sent.append(frame)
        answer = self.answers(frame)
        if answer is None:
            self._server.send(text)
        else:
            self._page.send(json.dumps(answer))

    def _heard(self, text: str) -> None:
        content = json.loads(text)
        frames = content if isinstance(content, list) else [content]
        passing = [frame for frame in frames if not self.holds(frame)]
        if passing:
            self._page.send(json.dumps(passing))


def is_ack_of_message(frame: Frame) -> bool:
    return frame["event"] == "ack" and "message" in frame.get("data", {})


def is_new_message(frame: Frame) -> bool:
    return frame["event"] == "new_message"


async def stop_time(page: Any) -> None:
    """From here on the page's clock, which the test installed, moves only when it is told to."""
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 1"))
