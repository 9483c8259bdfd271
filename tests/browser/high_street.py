"""Shops of other people on sites of their own: static pages that put the chat's tag into them.

``*.localhost`` is this machine to Chromium, and each name is a site of its own, so that the chat is
a third party on these pages, as it is on people's.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import expect
from tornado import web
from tornado.httpserver import HTTPServer

from models.conversation import Participant
from models.demo import SELLER
from models.events import Message
from tests.browser import stage


@dataclass
class HighStreet:
    """The shops, and the server of their chat. A page is there as soon as it is put somewhere."""

    chat_port: int
    port: int
    server: Any = None
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def chat(self) -> str:
        return f"http://chat.localhost:{self.chat_port}"

    def origin(self, shop: str = "shop-a") -> str:
        return f"http://{shop}.localhost:{self.port}"

    def tag(self, more: str = "", how: str = "async") -> str:
        """What a shop puts into its page."""
        src = f"{self.chat}/widget.js"
        return f'<script {how} src="{src}" data-seller="{SELLER.id}" {more}></script>'

    def put(
        self,
        head: str | None = None,
        body: str = "",
        *,
        shop: str = "shop-a",
        path: str = "/",
        policy: str = "",
        html: str = "",
    ) -> str:
        """Puts a page somewhere; returns its address. Without a ``head`` it bears the usual tag."""
        page = (
            f"<!doctype html><html {html}><head><title>A mug</title>"
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"{self.tag() if head is None else head}</head><body><h1>A mug</h1>{body}</body></html>"
        )
        self.pages[path] = (page, policy)
        return self.origin(shop) + path

    def open(self) -> HTTPServer:
        """Serves the pages."""
        server = HTTPServer(web.Application([("(/.*)", _Page, {"pages": self.pages})]))
        server.listen(self.port, "127.0.0.1")
        return server

    async def guest(self) -> Participant:
        """The one guest who wrote."""
        newest = await self.server.shop.ledger.newest_of(
            SELLER.key, before=None, limit=9, unread=False
        )
        keys = [place.key for conversation in newest for place in conversation.places]
        [guest] = [key for key in keys if "guest-" in key]
        return Participant.from_key(guest)

    async def answer(self, to: Participant, text: str) -> Message:
        """The seller writes, from somewhere else."""
        return await stage.say(self.server, SELLER, to, text, name="Anna’s Ceramics")

    def online(self) -> set[str]:
        """The ids of all whose sockets are open."""
        return {one.who.participant.id for one in self.server.shop.hub.everybody()}


class _Page(web.RequestHandler):
    def initialize(self, pages: dict[str, tuple[str, str]]) -> None:
        self.pages = pages

    def get(self, path: str) -> None:
        page, policy = self.pages.get(path, ("", ""))
        if policy:
            self.set_header("Content-Security-Policy", policy)
        self.write(page)


def bell(page: Any) -> Any:
    """The button, however many messages wait."""
    return page.get_by_role("button", name=re.compile("^Open the chat"))


def chat(page: Any) -> Any:
    """What is in the frame."""
    return page.frame_locator("iframe")


async def open_chat(page: Any) -> Any:
    """Opens it by a click, waits for its script, and returns what is in the frame."""
    await bell(page).click()
    await expect(stage.field(chat(page))).to_be_focused()
    return chat(page)
