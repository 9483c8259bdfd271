"""What the doors of the API share: JSON in and out, pages of other sites, what is documented."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from msgspec import Struct

from handlers.base import BaseHandler, refuse_secrets
from models import codec, events
from models.errors import BadRequest, ChatError, UnsupportedMediaType

PREFLIGHT_SECONDS: Final = 600

_S = TypeVar("_S", bound=Struct)
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API, for its door and for the reference: what goes in, what comes out.

    ``status`` is that of a success, ``also`` another one with its meaning; ``refusals`` are the
    codes beyond those that every call may answer.
    """

    summary: str
    answer: type[Struct]
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    status: int = 200
    also: tuple[int, str] | None = None
    refusals: tuple[str, ...] = ()


def documented(summary: str, **rest: Any) -> Callable[[_F], _F]:
    """Describes the method of a door, see ``Call``."""

    def describe(method: _F) -> _F:
        method.__dict__["call"] = Call(summary, **rest)
        return method

    return describe


class JsonHandler(BaseHandler):
    """Doors of the API. Each method that one offers is ``documented``."""

    @classmethod
    def calls(cls) -> dict[str, Call]:
        """What this door offers, by method in small letters."""
        offered = {name.lower(): getattr(cls, name.lower(), None) for name in cls.SUPPORTED_METHODS}
        return {name: verb.call for name, verb in offered.items() if verb and hasattr(verb, "call")}

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        origin = self.request.headers.get("Origin")
        self.set_header("Vary", "Origin")
        if origin is not None and origin in self.shop.settings.allowed_origins:
            # Without credentials: a foreign page shows its own token and never rides on a cookie.
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", "Retry-After")
            self.set_header("Cross-Origin-Resource-Policy", "cross-origin")

    def prepare(self) -> None:
        if self.request.method == "OPTIONS":
            refuse_secrets(self.request)
        else:
            super().prepare()

    def options(self, *_: str, **__: str) -> None:
        """A browser asks before it calls from a foreign page."""
        methods = ", ".join([*(name.upper() for name in self.calls()), "OPTIONS"])
        self.set_header("Allow", methods)
        self.set_header("Access-Control-Allow-Methods", methods)
        self.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type")
        self.set_header("Access-Control-Max-Age", str(PREFLIGHT_SECONDS))
        self.clear_header("Content-Type")
        self.set_status(204)

    def decode(self, struct: type[_S]) -> _S:
        """The body, checked. Raises ``UnsupportedMediaType``, ``BadRequest``, ``Invalid``."""
        if self.content_type != "application/json":
            raise UnsupportedMediaType("A body has to say that it is application/json.")
        if not self.body.lstrip().startswith(b"{"):
            raise BadRequest("A body is a JSON object.")
        return codec.decode(self.body, struct)

    def answer(self, answer: Struct, *, status: int = 200) -> None:
        self.set_status(status)
        self.write(codec.encode(answer))

    def finish_error(self, error: ChatError) -> None:
        self.write(codec.encode(events.ErrorAnswer(codec.error_data(error))))
