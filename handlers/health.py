"""How the server is: for whoever watches it. Nothing here tells of anybody."""

from msgspec import Struct

from handlers.base import JsonHandler
from models.addresses import parsed
from models.errors import Forbidden, Unauthorized, Unavailable
from models.metrics import CONTENT_TYPE


class Health(Struct, frozen=True):
    """The answer where all is well."""

    status: str = "ok"


class HealthDoor(JsonHandler):
    """``/healthz``: the process answers. No database is asked."""

    public = True
    counted = False

    def get(self) -> None:
        self.answer(Health())


class ReadyDoor(JsonHandler):
    """``/readyz``: messages would be taken now; 503 while stopping or without the database."""

    public = True
    counted = False

    async def get(self) -> None:
        if not self.parts.is_ready():
            raise Unavailable("The server is stopping.")
        await self.shop.readiness.check()
        self.answer(Health())


class MetricsDoor(JsonHandler):
    """``/metrics``: for who asks from this very machine, or has a seller's token."""

    public = True
    counted = False

    def get(self) -> None:
        if not self._is_from_here():
            if self.who is None:
                raise Unauthorized
            if self.who.participant.type != "Seller":
                raise Forbidden("Only sellers may see the metrics.")
        self.set_header("Content-Type", CONTENT_TYPE)
        self.write(self.shop.metrics.text())

    def _is_from_here(self) -> bool:
        """Whether the visitor is this machine itself. A proxy on it that nobody trusts brings
        strangers under its own address; it shows by what it adds."""
        forwarded = {"X-Forwarded-For", "Forwarded", "Via"} & self.request.headers.keys()
        if forwarded and not self.shop.settings.trusts(self.request.remote_ip or ""):
            return False
        visitor = parsed(self.address)
        return visitor is not None and visitor.is_loopback
