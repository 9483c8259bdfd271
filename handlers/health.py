"""How the server is: for whoever watches it. Nothing here tells of anybody."""

from typing import Final, Literal

from msgspec import Struct

from handlers.base import STATUS
from handlers.json_handler import JsonHandler
from models.addresses import parsed
from models.codec import error_data
from models.errors import Forbidden, Unauthorized, Unavailable
from models.events import ErrorData
from models.metrics import CONTENT_TYPE


class Health(Struct, frozen=True):
    """The answer of a process that lives.

    ``instance`` tells the servers of one shop from others, ``proxy`` whether this request was
    forwarded, and whether whoever did so is trusted: ``check`` asks for both.
    """

    instance: str
    proxy: Literal["none", "trusted", "untrusted"]
    status: str = "ok"


CHECKED: Final = ("server", "database", "breaker", "schema", "disk")


class Ready(Struct, frozen=True):
    """What was looked at, each with "ok"."""

    checks: dict[str, str]
    status: str = "ok"


class NotReady(Struct, frozen=True):
    """The same, where something fails: that says what in a sentence. ``error`` is as everywhere."""

    error: ErrorData
    checks: dict[str, str]
    status: str = "unavailable"


class HealthDoor(JsonHandler):
    """``/healthz``: the process answers. No database is asked."""

    public = True
    counted = False

    def get(self) -> None:
        proxy: Literal["none", "trusted", "untrusted"] = "none"
        if self.was_forwarded:
            proxy = "trusted" if self.is_forwarder_trusted else "untrusted"
        self.answer(Health(self.shop.settings.instance, proxy))


class ReadyDoor(JsonHandler):
    """``/readyz``: messages would be taken now; 503 with what fails, where they would not."""

    public = True
    counted = False

    async def get(self) -> None:
        faults = {"server": "The server is stopping."}
        if self.parts.is_ready():
            faults = await self.shop.readiness.faults()
        checks = dict.fromkeys(CHECKED, "ok") | faults
        if not faults:
            self.answer(Ready(checks))
            return
        error = Unavailable(" ".join(faults.values()))
        self.shop.metrics.refused(error)
        self.answer(NotReady(error_data(error), checks), status=STATUS[error.code])


class MetricsDoor(JsonHandler):
    """``/metrics``: for who asks from this very machine, or has a seller's token."""

    public = True
    counted = False

    async def get(self) -> None:
        if not self._is_from_here():
            if self.who is None:
                raise Unauthorized
            if self.who.participant.type != "Seller":
                raise Forbidden("Only sellers may see the metrics.")
        await self.shop.readiness.faults()  # whether the database is up is told as of now
        self.set_header("Content-Type", CONTENT_TYPE)
        self.write(self.shop.metrics.text())

    def _is_from_here(self) -> bool:
        """Whether the visitor is this machine itself. A proxy on it that nobody trusts brings
        strangers under its own address; it shows by what it adds."""
        if self.was_forwarded and not self.is_forwarder_trusted:
            return False
        visitor = parsed(self.address)
        return visitor is not None and visitor.is_loopback
