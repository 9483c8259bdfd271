"""What every door shares: who is asking, the limits, one shape for errors, the security headers.

Closed by default: a handler turns strangers away unless it says ``public = True``.
"""

import logging
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar, cast
from urllib.parse import parse_qs, unquote_plus, urlsplit
from weakref import WeakSet

from msgspec import Struct
from tornado import httputil, web
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError

from handlers.headers import guard
from models import codec
from models.addresses import address_key, visitor_address
from models.conversation import Identity
from models.errors import (
    BadRequest,
    ChatError,
    Forbidden,
    Internal,
    NotFound,
    NotYours,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
)
from models.shop import Shop

BODY_BYTES: Final = 64 * 1024  # CONTRACT section 5
DROPPED_BYTES: Final = 1024 * 1024  # of a larger one that are read, for its sender to hear why
LENGTH_DIGITS: Final = 16  # Python refuses to read a number of some thousands
FORM_FIELDS: Final = 100
COOKIE: Final = "shopbell_session"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
SUBPROTOCOL: Final = "shopbell.v1"
BEARER_PROTOCOL: Final = "bearer."
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Where clients have been seen to put tokens into addresses, which end up in logs and histories.
QUERY_SECRETS: Final = frozenset(
    {"token", "access_token", "id_token", "bearer", "jwt", "identity", "guest_token", "auth"}
    | {"authorization", "shopbell_session"}
)
# Begun only where a word begins: else a long query would be looked through once for each letter.
_SIGNED_TOKEN: Final = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]{43}", re.ASCII)

STATUS: Final[dict[str, int]] = {
    "bad_request": 400,
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_registered": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "internal": 500,
    "unavailable": 503,
}

_S = TypeVar("_S", bound=Struct)

log = logging.getLogger("shopbell.http")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the doors lead to, put together by ``server.py``.

    ``is_ready`` answers whether requests are still welcome. ``unanswered`` are those that have come
    and have no answer yet, but for sockets.
    """

    shop: Shop
    is_ready: Callable[[], bool] = lambda: True
    warned_of: set[str] = field(default_factory=set)  # what is said once in a life
    # Weak, as one whose client has gone is never told of its end.
    unanswered: WeakSet[web.RequestHandler] = field(default_factory=WeakSet)


def refuse_secrets(request: httputil.HTTPServerRequest) -> None:
    """CONTRACT section 2: a token never stands in an address, under whatever name, be it within
    another address. Raises ``BadRequest``."""
    names = {name.lower().removesuffix("[]") for name in request.query_arguments}
    query = unquote_plus(unquote_plus(request.query))
    if QUERY_SECRETS & names or _SIGNED_TOKEN.search(query):
        raise BadRequest("A token never stands in an address; use the header.")


@web.stream_request_body
class BaseHandler(web.RequestHandler):
    """Finds out who is asking, once, before anything else happens."""

    public: ClassVar[bool] = False
    counted: ClassVar[bool] = True  # whether the limits on HTTP calls apply
    who: Identity | None

    def initialize(self) -> None:
        self.who = None
        self.address = ""
        self.has_cookie_session = False
        self._body = bytearray()
        self._body_bytes = 0

    @property
    def parts(self) -> Parts:
        # Tornado sets the default headers before ``initialize``, so it cannot be given there.
        parts: Parts = self.application.settings["parts"]
        return parts

    @property
    def shop(self) -> Shop:
        return self.parts.shop

    @cached_property
    def request_id(self) -> str:
        """What this request is called in the log and in the answer's ``X-Request-ID``: the name
        that a proxy of ours gave it, or one of our own. Nobody else may choose it."""
        told: str = self.request.headers.get("X-Request-ID", "")
        if self.is_forwarder_trusted and REQUEST_ID.fullmatch(told):
            return told
        return secrets.token_hex(8)

    # --- Before the door opens ------------------------------------------------------------------

    def prepare(self) -> None:
        self.parts.unanswered.add(self)
        # The length is counted here: the server would cut off who sends too much, and not say why.
        cast(HTTP1Connection, self.request.connection).set_max_body_size(sys.maxsize)
        self.address = self._visitor()
        self._check_length()
        refuse_secrets(self.request)
        self._look_at_proxy()
        try:
            self._find_who()
        except Unauthorized:
            self._check_pace()  # guessing is as slow as asking without a token
            raise
        self._check_pace()
        self._check_own_page()
        if self.who is None and not self.public:
            raise Unauthorized

    def on_finish(self) -> None:
        self.parts.unanswered.discard(self)

    def _check_length(self) -> None:
        """As a body comes in pieces, this door is asked before Tornado looks at its length."""
        length = self.request.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            raise BadRequest("Content-Length is a number of bytes.")
        # A number that is longer than the limit's need not be read to be known.
        if len(length) > LENGTH_DIGITS or int(length) > BODY_BYTES:
            raise TooLarge("A body may have 64 KiB.")

    @property
    def was_forwarded(self) -> bool:
        """Whether whoever asks says to ask for somebody else."""
        return bool({"X-Forwarded-For", "Forwarded", "Via"} & self.request.headers.keys())

    @property
    def is_forwarder_trusted(self) -> bool:
        return self.shop.settings.trusts(self.request.remote_ip or "")

    def _look_at_proxy(self) -> None:
        """A proxy of ours tells how the browser came, and for whom it asks. ``public-url`` decides
        over cookies and links all the same, and nobody else is believed; where that differs from
        what is told, somebody has to set one of them right."""
        if not self.is_forwarder_trusted:
            if "X-Forwarded-For" in self.request.headers:
                sentence = "X-Forwarded-For comes from %s, which is not in trusted-proxies"
                self._warn_once("forwarder", sentence, self.request.remote_ip)
            return
        told = self.request.headers.get("X-Forwarded-Proto", "").lower()
        origin = self.shop.settings.origin
        if told in {"http", "https"} and told != urlsplit(origin).scheme:
            self._warn_once("scheme", "browsers come over %s, but public-url is %s", told, origin)

    def _warn_once(self, about: str, sentence: str, *values: object) -> None:
        if about not in self.parts.warned_of:
            self.parts.warned_of.add(about)
            log.warning(sentence, *values)

    def data_received(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        if self._body_bytes <= BODY_BYTES:
            self._body += chunk
        elif self._body_bytes > DROPPED_BYTES and not self._finished:
            refused = TooLarge("A body may have 64 KiB.")
            self.send_error(413, exc_info=(TooLarge, refused, None))  # and the connection ends

    def _visitor(self) -> str:
        """The address of who is asking, behind the proxies that are trusted."""
        peer = self.request.remote_ip or ""
        forwarded = self.request.headers.get("X-Forwarded-For")
        return visitor_address(peer, forwarded, self.shop.settings.trusts)

    def _find_who(self) -> None:
        """CONTRACT section 2: the header, then the subprotocols, then the cookie. What is said on
        purpose and is wrong is refused; a cookie that is out of date makes a stranger."""
        token = self._spoken_token()
        if token is not None:
            self.who = self.authenticated(token)
            return
        if (cookie := self._cookie_token()) is not None:
            try:
                self.who = self.shop.accounts.authenticate(cookie)
                self.has_cookie_session = True
            except Unauthorized:
                return

    def authenticated(self, token: str) -> Identity:
        try:
            return self.shop.accounts.authenticate(token)
        except Unauthorized:
            self.shop.metrics.auth_failed("token")
            raise

    def _spoken_token(self) -> str | None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
        for protocol in self.subprotocols():
            if protocol.startswith(BEARER_PROTOCOL):
                return protocol.removeprefix(BEARER_PROTOCOL)
        return None

    def subprotocols(self) -> list[str]:
        listed = self.request.headers.get("Sec-WebSocket-Protocol", "")
        return [protocol.strip() for protocol in listed.split(",") if protocol.strip()]

    def _cookie_token(self) -> str | None:
        cookie = self.request.cookies.get(COOKIE)
        return None if cookie is None else cookie.value

    def _check_pace(self) -> None:
        if not self.counted:
            return
        if self.who is not None:
            self.shop.pace.take("http:participant", self.who.key)
        else:
            self.shop.pace.take("http:address", address_key(self.address))

    def _check_own_page(self) -> None:
        """Against forged requests: what a browser does by itself with the cookie must come from a
        page of ours. OWASP, Cross-Site Request Forgery: checking the origin."""
        if self.request.method in SAFE_METHODS or not self.has_cookie_session:
            return
        if not self.is_from_own_page():
            raise Forbidden("This has to come from a page of the shop's chat.")

    def is_from_own_page(self) -> bool:
        """Whether the browser says that a page of ``public-url`` asks."""
        origin = self.request.headers.get("Origin")
        if origin is not None:
            return origin == self.shop.settings.origin
        return self.request.headers.get("Sec-Fetch-Site") == "same-origin"

    def is_from_foreign_page(self) -> bool:
        """Whether the browser says that a page of somebody else asks. Who says nothing is believed:
        no page can make a browser keep silent, and there is no cookie to misuse."""
        told = {"Origin", "Sec-Fetch-Site"} & self.request.headers.keys()
        came_by_itself = self.request.headers.get("Sec-Fetch-Site") == "none"
        return bool(told) and not came_by_itself and not self.is_from_own_page()

    async def head(self, *args: str, **kwargs: str) -> None:
        """As a ``get`` without its body (RFC 9110 section 9.3.2)."""
        work = self.get(*args, **kwargs)
        if work is not None:
            await work

    # --- For the doors --------------------------------------------------------------------------

    @property
    def me(self) -> Identity:
        """Who is asking, behind a door that no stranger passes."""
        if self.who is None:
            raise Unauthorized
        return self.who

    @property
    def body(self) -> bytes:
        """The whole body. Raises ``TooLarge``."""
        if self._body_bytes > BODY_BYTES:
            raise TooLarge("A body may have 64 KiB.")
        return bytes(self._body)

    @property
    def content_type(self) -> str:
        kind: str = self.request.headers.get("Content-Type", "")
        return kind.partition(";")[0].strip().lower()

    def query(self, struct: type[_S]) -> _S:
        """The address's query, checked. Raises ``Invalid``."""
        names = {field.encode_name for field in codec.fields_of(struct)}
        values = {
            name: found[-1].decode("utf-8", "replace")
            for name, found in self.request.query_arguments.items()
            if name in names
        }
        return codec.from_texts(values, struct)

    def form(self) -> dict[str, str]:
        """A posted form's fields. Raises ``UnsupportedMediaType`` and ``BadRequest``."""
        if self.content_type != "application/x-www-form-urlencoded":
            raise UnsupportedMediaType("A form is sent as application/x-www-form-urlencoded.")
        try:
            text = self.body.decode("utf-8")
            fields = parse_qs(text, keep_blank_values=True, max_num_fields=FORM_FIELDS)
        except ValueError:
            raise BadRequest("This is not a form.") from None
        return {name: values[-1] for name, values in fields.items()}

    def give_session(self, token: str, who: Identity) -> None:
        """Puts a token into the browser's cookie, for as long as it is valid."""
        self.set_cookie(
            COOKIE,
            token,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self.shop.settings.secure,
            max_age=max(0, who.expires_at - int(time.time())),
        )

    def take_session(self) -> None:
        self.clear_cookie(COOKIE, path="/", httponly=True, samesite="Lax")

    # --- Headers --------------------------------------------------------------------------------

    def set_default_headers(self) -> None:
        guard(self, secure=self.shop.settings.secure)
        self.set_header("X-Request-ID", self.request_id)
        self.set_header("Cache-Control", "no-store")

    # --- Errors ---------------------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self._error_of(status_code, kwargs)
        self.set_status(STATUS[error.code] if error.code != "bad_request" else status_code)
        if isinstance(error, BadRequest) and not 400 <= status_code < 500:
            self.set_status(400)
        self.tell_retry(error)
        if isinstance(error, TooLarge):
            self.set_header("Connection", "close")  # the rest of the body is not wanted
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._offered()))
        if isinstance(error, Unauthorized):
            self.set_header("WWW-Authenticate", 'Bearer realm="shopbell"')
        self.shop.metrics.refused(error)
        self.finish_error(error)

    def tell_retry(self, error: ChatError) -> None:
        """When to come back, where an error says so."""
        if error.retry_after is not None:
            self.set_header("Retry-After", str(max(1, round(error.retry_after + 0.499))))

    def _offered(self) -> list[str]:
        """The methods of this door."""
        unmade = web.RequestHandler
        return [
            name
            for name in self.SUPPORTED_METHODS
            if getattr(type(self), name.lower()) is not getattr(unmade, name.lower())
            and (name != "HEAD" or type(self).get is not unmade.get)
        ]

    def finish_error(self, error: ChatError) -> None:
        """Says an error in the manner of the door."""
        raise NotImplementedError

    def _error_of(self, status_code: int, kwargs: dict[str, Any]) -> ChatError:
        _, error, _ = kwargs.get("exc_info", (None, None, None))
        if isinstance(error, NotYours):
            return NotFound("There is no such thing, or it is not yours.")
        if isinstance(error, ChatError):
            return error
        if status_code == 404:
            return NotFound("There is nothing here.")
        if status_code == 405:
            return BadRequest(f"{self.request.method} is not possible here.")
        if 400 <= status_code < 500:
            return BadRequest("This request is not understood.")
        return Internal()

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Refusals are answers; what is left is a fault of ours and goes to the log."""
        if isinstance(value, ChatError | web.HTTPError | StreamClosedError):
            return
        what, extra = (self.request.method, self.request.path), {"request": self.request_id}
        log.error("%s %s failed", *what, exc_info=value, extra=extra)
