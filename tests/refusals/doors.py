"""Every way in: the program's own tables, and beside each row what an outsider knows of it.

``ways_of`` reads the route table of a running server. ``DOORS`` says for each way who may pass and
with what; ``test_access_matrix.py`` fails where one has no row. Whatever has to hold on every door
is tested over this table, so a new door is tested as soon as it has its row.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tornado.web import RequestHandler

from tests.caller import Answer, call
from tests.contract import NOWHERE

PASSWORD = "correct horse battery"
IDENTITY_SECRET = "what only the shop's own back end knows"
SHOP = "https://shop.example"  # where the widget may stand

# Who passes a door: everybody; whoever has a token, and sees their own; sellers, and see their own;
# or the two of whose conversation it is, while for others it does not exist.
EVERYBODY, ONES_OWN, SELLERS, THE_TWO = "everybody", "one's own", "sellers", "the two"

# Answers to addresses that are none, and Tornado's own rows for files of ours.
NAMELESS = {r"/api(?:/.*)?", r"/(robots\.txt)", r"/(favicon\.ico)"}
FOLLOWS = {"HEAD", "OPTIONS"}  # what HTTP derives from the other methods


@dataclass(frozen=True)
class Door:
    """A way in. Address and body may name Maya's message to Omar, their conversation, and what the
    shop vouches for. ``writes``: for whoever may pass."""

    method: str
    address: str
    who: str
    body: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    writes: bool = False

    @property
    def is_page(self) -> bool:
        return not self.address.startswith(("/api", "/ws", "/metrics"))

    @property
    def is_unsafe(self) -> bool:
        return self.method not in {"GET", "HEAD", "OPTIONS"}

    def path(self, names: dict[str, str]) -> str:
        return self.address.format(**names)

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


TO_OMAR = {"recipient_id": "omar", "recipient_type": "Seller", "message": "Hello"}
GUEST = {"seller_id": "omar"}
VOUCHED = {"identity": "{identity}"}
LOGIN = {"id": "omar", "password": PASSWORD}
GREETING = {"greeting": "Hello"}

DOORS = [
    Door("POST", "/api/messages/send", ONES_OWN, body=TO_OMAR, writes=True),
    Door("GET", "/api/messages/inbox", ONES_OWN),
    Door("GET", "/api/messages/sent", ONES_OWN),
    Door("GET", "/api/messages/unread/count", ONES_OWN),
    Door("GET", "/api/messages/{message}", THE_TWO),
    Door("PUT", "/api/messages/{message}/read", THE_TWO),
    Door("GET", "/api/messages/conversation/omar/Seller", ONES_OWN),
    Door("GET", "/api/messages/conversation/maya/Buyer", ONES_OWN),
    Door("GET", "/api/conversations", ONES_OWN),
    Door("GET", "/api/sellers/omar", EVERYBODY),
    Door("POST", "/api/session/guest", EVERYBODY, body=GUEST),
    Door("POST", "/api/session/identify", EVERYBODY, body=VOUCHED),
    Door("GET", "/api/openapi.json", EVERYBODY),
    Door("GET", "/ws", ONES_OWN),
    Door("GET", "/", EVERYBODY),
    Door("GET", "/chat/omar", EVERYBODY),
    Door("POST", "/chat/omar", EVERYBODY, form={"message": "Hello"}, writes=True),
    Door("GET", "/widget/omar", EVERYBODY),
    Door("GET", "/widget.js", EVERYBODY),
    Door("GET", "/inbox", SELLERS),
    Door("GET", "/inbox/widget", SELLERS),
    Door("GET", "/inbox/{conversation}", THE_TWO),
    Door("POST", "/inbox/{conversation}", THE_TWO, form={"message": "Hello"}, writes=True),
    Door("GET", "/inbox/settings", SELLERS),
    Door("POST", "/inbox/settings", SELLERS, form=GREETING, writes=True),
    Door("GET", "/inbox/settings/preview.css?accent=%23f2c230", SELLERS),
    Door("GET", "/look/omar.css", EVERYBODY),
    Door("GET", "/look/omar/logo", EVERYBODY),
    Door("GET", "/login", EVERYBODY),
    Door("POST", "/login", EVERYBODY, form=LOGIN),
    Door("POST", "/logout", EVERYBODY, form={}),
    Door("GET", "/docs", EVERYBODY),
    Door("GET", "/healthz", EVERYBODY),
    Door("GET", "/readyz", EVERYBODY),
    Door("GET", "/metrics", EVERYBODY),  # from this machine
    Door("GET", "/assets/0123456789abcdef/chat.js", EVERYBODY),
    Door("GET", "/static/js/realtime.js", EVERYBODY),
]
CLOSED = [door for door in DOORS if door.who != EVERYBODY]
UNSAFE = [door for door in DOORS if door.is_unsafe]
READING = [door for door in DOORS if not door.is_unsafe and door.address != "/ws"]

# Data that each event would be taken with, from whoever may.
SAMPLES: dict[str, dict[str, Any]] = {
    "register_user": {},
    "send_message": {"recipient_id": "maya", "recipient_type": "Buyer", "message": "Hello"},
    "typing": {"recipient_id": "maya", "recipient_type": "Buyer", "is_typing": True},
    "mark_as_delivered": {"conversation_id": NOWHERE, "seq": 1},
    "mark_as_read": {"seq": 1},
    "join_room": {"room": NOWHERE},
    "leave_room": {"room": NOWHERE},
    "update_context": {"url": "https://shop.example/", "title": "A mug"},
    "update_status": {"status": "away"},
}


def ways_of(server: Any) -> Iterator[tuple[str, str]]:
    """Method and pattern of every way into a server, read from its own table."""
    for router in server.http.request_callback.default_router.rules:
        for rule in router.target.rules:
            pattern, handler = rule.matcher.regex.pattern.rstrip("$"), rule.target
            for method in handler.SUPPORTED_METHODS:
                name = method.lower()
                is_offered = getattr(handler, name) is not getattr(RequestHandler, name)
                if is_offered and method not in FOLLOWS and pattern not in NAMELESS:
                    yield method, pattern


def way_of(server: Any, door: Door, names: dict[str, str]) -> tuple[str, str]:
    """The way that a row speaks of."""
    path = door.path(names).partition("?")[0]
    patterns = [pattern for _, pattern in ways_of(server)]
    return door.method, next(pattern for pattern in patterns if re.fullmatch(pattern, path))


async def knock(
    server: Any,
    door: Door,
    names: dict[str, str],
    *,
    token: str | None = None,
    cookie: str | None = None,
    method: str | None = None,
    query: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Tries a door: with a token in the header, or with a cookie on a page of the shop's chat.

    ``headers`` take the place of what that page says of itself.
    """
    body = door.body and json.loads(json.dumps(door.body).replace("{identity}", names["identity"]))
    own = {"Origin": server.url} if cookie is not None else {}
    sent = dict(own if headers is None else headers)
    if door.address == "/ws":
        sent |= {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    path = door.path(names)
    return await call(
        server,
        method or door.method,
        path + (f"{'&' if '?' in path else '?'}{query}" if query else ""),
        body,
        form=door.form,
        token=token,
        cookie=cookie,
        headers=sent,
    )


def is_turned_away(answer: Answer) -> bool:
    """Whether this is how a door answers somebody whom nobody knows."""
    if answer.status == 303:
        return re.search(r"/login(\?|$)", answer.headers["Location"]) is not None
    return answer.status == 401
