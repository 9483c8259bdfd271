"""What the server counts and measures, for Prometheus.

Labels are words out of short lists, never ids, names or addresses: who sees the metrics learns how
the shop is doing and nothing of anybody.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from models.errors import ChatError
from models.version import VERSION

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
LAG_SECONDS: Final = 0.5  # how often the loop's lag is taken

# From a lone message on an idle machine (3 ms) to the database's time limit (5 s).
_SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# Close codes that mean something to us; a client may send any other.
_CLOSE_CODES: Final = frozenset({1000, 1001, 1006, 1007, 1009, 1012, 1013, 4401, 4408, 4429})

Gauged = Literal[
    "sockets_open",
    "sockets_registered",
    "outbox_bytes",
    "database_up",
    "database_waiting",
    "breaker_open",
    "breaker_openings",
]
# What is read when somebody looks.
GAUGES: Final[dict[Gauged, str]] = {
    "sockets_open": "WebSockets that are open",
    "sockets_registered": "WebSockets that registered",
    "outbox_bytes": "What waits for readers, all sockets",
    "database_up": "1 while the database answers, else 0",
    "database_waiting": "Callers that wait for their turn at the database",
    "breaker_open": "1 while calls to the database are refused as it does not answer, else 0",
    "breaker_openings": "How often that happened since the start",
}


class Metrics:
    """One registry for one server; tests make as many as they like."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, descriptors, processor time
        build = Info("shopbell_build", "Which Shopbell this is", registry=self._registry)
        build.info({"version": VERSION})
        self._gauges = {name: self._gauge(name, text) for name, text in GAUGES.items()}
        self._gauge("tasks", "Tasks on the event loop").set_function(_tasks)
        self._lag = self._gauge("loop_lag_seconds", "How late the event loop was just now")
        self._worst_lag = self._gauge("loop_lag_worst_seconds", "The worst lag since the start")
        self._closes = self._counter("sockets_closed", "WebSockets closed", "code")
        self._sends = self._counter(
            "sends", "Messages handed in, by what became of them", "outcome"
        )
        self._send_seconds = self._histogram("send_to_ack_seconds", "From a message to its ack")
        self._push_seconds = self._histogram(
            "ack_to_push_seconds", "From when an event is due to when its reader's socket took it"
        )
        self._catch_ups = self._counter(
            "catch_ups", "Conversations whose missed messages were sent"
        )
        self._resets = self._counter("resets", "Conversations that clients had to load again")
        self._auth_failures = self._counter("auth_failures", "Refused to strangers", "door")
        self._limits = self._counter("limits_hit", "Refused for coming too fast", "rule")
        self._errors = self._counter("errors", "Refusals, by their code", "code")
        self._database = self._histogram("database_seconds", "Work of the database", "work")

    # --- What happened ----------------------------------------------------------------------------

    def sent(self, outcome: Literal["acked", "repeated", "refused"], seconds: float) -> None:
        """A message was handed in and answered after so many seconds."""
        self._sends.labels(outcome).inc()
        if outcome == "acked":
            self._send_seconds.observe(seconds)

    def pushed(self, seconds: float) -> None:
        """A socket took live events, the oldest of which had waited for so many seconds."""
        self._push_seconds.observe(seconds)

    def caught_up(self) -> None:
        """A client got what it had missed of a conversation."""
        self._catch_ups.inc()

    def reset(self) -> None:
        """A client was told to load a conversation again."""
        self._resets.inc()

    def closed(self, code: int | None) -> None:
        """A socket closed with this code; 1013 is a reader who was too slow."""
        told = 1006 if code is None else code  # RFC 6455 section 7.4.1: it went without a word
        self._closes.labels(str(told) if told in _CLOSE_CODES else "other").inc()

    def auth_failed(self, door: Literal["token", "login", "origin"]) -> None:
        """Somebody was turned away: a bad token, a wrong password, a foreign page."""
        self._auth_failures.labels(door).inc()

    def limited(self, rule: str) -> None:
        """A limit was hit; ``rule`` is a name out of ``pace.RULES``, or "sockets"."""
        self._limits.labels(rule).inc()

    def refused(self, error: ChatError) -> None:
        """An error was answered, by whatever door."""
        self._errors.labels(error.code).inc()

    def asked_database(self, work: Literal["round", "probe"], seconds: float) -> None:
        """A journal's round or a probe took so many seconds."""
        self._database.labels(work).observe(seconds)

    # --- How things stand -------------------------------------------------------------------------

    def read_from(self, name: Gauged, read: Callable[[], float]) -> None:
        """Takes a value from where it is known, each time somebody looks."""
        self._gauges[name].set_function(read)

    async def watch_lag(self) -> None:
        """Measures for ever how late the loop is."""
        loop = asyncio.get_running_loop()
        worst = 0.0
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            lag = max(0.0, loop.time() - due)
            worst = max(worst, lag)
            self._lag.set(lag)
            self._worst_lag.set(worst)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format (``CONTENT_TYPE``)."""
        return generate_latest(self._registry)

    # --- Making them ------------------------------------------------------------------------------

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"shopbell_{name}", help_text, registry=self._registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"shopbell_{name}", help_text, labels, registry=self._registry)

    def _histogram(self, name: str, help_text: str, *labels: str) -> Histogram:
        return Histogram(
            f"shopbell_{name}", help_text, labels, registry=self._registry, buckets=_SECONDS
        )


def _tasks() -> float:
    with suppress(RuntimeError):  # asked outside the loop
        return len(asyncio.all_tasks())
    return 0
