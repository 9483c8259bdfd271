"""Every address of the server on one page, each with its door."""

import time
from pathlib import Path
from typing import Any, Final

from tornado import web

from handlers import (
    conversations,
    health,
    messages,
    pages,
    preferences,
    reference,
    sessions,
    widget,
)
from handlers.assets import Assets, Bundles, PublicHandler
from handlers.base import BaseHandler, Parts, log
from handlers.json_handler import JsonHandler
from handlers.page_handler import PageHandler
from handlers.socket import ChatSocket
from models.chat import FRAME_BYTES
from models.errors import NotFound

STATIC: Final = Path(__file__).parent.parent / "static"
PING_SECONDS: Final = 25  # a silent death is noticed after this and the next one
PONG_SECONDS: Final = 10

# What an id may be is not asked here, as the "@" in one may come encoded. The fixed addresses stand
# first: an id may be one of their words.
ID: Final = r"([^/]+)"
HEX: Final = r"([0-9a-f]{24})"

API: Final[list[tuple[str, type[JsonHandler]]]] = [
    (r"/api/messages/send", messages.SendApi),
    (r"/api/messages/inbox", messages.InboxApi),
    (r"/api/messages/sent", messages.SentApi),
    (r"/api/messages/unread/count", messages.UnreadCountApi),
    (rf"/api/messages/conversation/{ID}/{ID}", messages.ConversationApi),
    (rf"/api/messages/{HEX}", messages.MessageApi),
    (rf"/api/messages/{HEX}/read", messages.MessageReadApi),
    (r"/api/conversations", conversations.ConversationsApi),
    (rf"/api/sellers/{ID}", conversations.SellerApi),
    (r"/api/session/guest", sessions.GuestApi),
    (r"/api/session/identify", sessions.IdentifyApi),
    (r"/api/openapi\.json", reference.DescriptionApi),
]

PAGES: Final[list[tuple[str, type[web.RequestHandler]]]] = [
    (r"/login", sessions.LoginPage),
    (r"/logout", sessions.LogoutDoor),
    (r"/", pages.ShopPage),
    (rf"/chat/{ID}", pages.ChatPage),
    (r"/inbox", pages.InboxPage),
    (r"/inbox/widget", pages.InboxWidgetPage),
    (r"/inbox/settings", preferences.SettingsPage),
    (r"/inbox/settings/preview\.css", preferences.PreviewSheet),
    (rf"/inbox/{HEX}", pages.ConversationPage),
    (rf"/widget/{ID}", widget.WidgetFrame),
    (r"/widget\.js", widget.Loader),
    (rf"/look/{ID}\.css", preferences.LookSheet),
    (rf"/look/{ID}/logo", preferences.LookLogo),
    (r"/docs", reference.ReferencePage),
]

HEALTH: Final[list[tuple[str, type[JsonHandler]]]] = [
    (r"/healthz", health.HealthDoor),
    (r"/readyz", health.ReadyDoor),
    (r"/metrics", health.MetricsDoor),
]


class UnknownApi(JsonHandler):
    """An address under ``/api`` that is none."""

    public = True

    def prepare(self) -> None:
        super().prepare()
        raise NotFound("There is no such call.")


class UnknownPage(PageHandler):
    """Any other address that is none."""

    public = True

    def prepare(self) -> None:
        super().prepare()
        raise NotFound("There is no such page.")


def application(parts: Parts) -> web.Application:
    """All doors, leading to these parts."""
    return web.Application(
        [
            *API,
            *PAGES,
            *HEALTH,
            (r"/ws", ChatSocket),
            (r"/assets/([0-9a-f]{16})/([a-z-]+\.(?:css|js))", Bundles),
            (r"/static/(.*)", Assets, {"path": str(STATIC)}),
            (r"/api(?:/.*)?", UnknownApi),
        ],
        default_handler_class=UnknownPage,
        parts=parts,
        reference=reference.Reference(API, [*PAGES, *HEALTH], parts.shop.settings.origin),
        static_path=str(STATIC),
        static_handler_class=Assets,
        log_function=_log_request,
        websocket_ping_interval=PING_SECONDS,
        websocket_ping_timeout=PONG_SECONDS,
        websocket_max_message_size=FRAME_BYTES,
    )


def _log_request(handler: web.RequestHandler) -> None:
    """One line a request. The query is left out: it may hold what nobody should read."""
    if isinstance(handler, PublicHandler) and handler.get_status() < 400:
        return
    who = getattr(handler, "who", None)
    extra: dict[str, Any] = {
        "status": handler.get_status(),
        "ms": round((time.time() - handler.request._start_time) * 1000, 1),  # noqa: SLF001
        "address": getattr(handler, "address", "") or handler.request.remote_ip,
    }
    if isinstance(handler, BaseHandler):
        extra["request"] = handler.request_id
    if who is not None:
        extra["who"] = who.key
    log.info("%s %s", handler.request.method, handler.request.path, extra=extra)
