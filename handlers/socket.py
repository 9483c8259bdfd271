"""The WebSocket: frames in, one call on ``chat`` each, answers and events out.

A shell round ``models/hub.py``'s ``Connection``, which tests can drive without a network.
"""

import asyncio
import binascii
import logging
import time
from collections.abc import Coroutine
from itertools import count
from typing import Any, Final

from msgspec import Struct
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol13

from handlers.base import SUBPROTOCOL, BaseHandler
from handlers.framing import StrictProtocol
from handlers.time_limit import or_not_at_all
from models import codec, events
from models.errors import (
    BadRequest,
    ChatError,
    Forbidden,
    Internal,
    Invalid,
    NotRegistered,
    RateLimited,
    Unavailable,
)
from models.hub import SESSION_ENDED, Connection

KEY_BYTES: Final = 16
REGISTER_SECONDS: Final = 10  # CONTRACT section 4: else 4408
SOCKETS: Final = {"Buyer": 10, "Seller": 50}  # open at the same time, of one participant
SOCKETS_IN_ALL: Final = 2_000
SOCKETS_RETRY_SECONDS: Final = 30
UNANSWERED: Final = 100  # messages of one socket that may wait for the database
WARNINGS: Final = 3  # CONTRACT section 4: three warnings, then 4429
CALM_SECONDS: Final = 60  # after so long without a warning they are forgotten
PACED_BY_PERSON: Final = frozenset({"send_message", "typing"})  # these have limits of their own

NOT_REGISTERED: Final = 4408
FLOODING: Final = 4429

log = logging.getLogger("shopbell.socket")
_numbers = count(1)


class ChatSocket(BaseHandler, WebSocketHandler):
    """One client's socket. Refused before the upgrade, so that the client sees a status."""

    connection: Connection

    # --- Before the upgrade ---------------------------------------------------------------------

    def prepare(self) -> None:
        super().prepare()
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise BadRequest("This address is for WebSockets.")
        if not self._has_key():
            raise BadRequest("Sec-WebSocket-Key is 16 random bytes in base 64.")
        if not self.parts.is_ready():  # it came on a connection from before the stop
            raise Unavailable("The server is restarting. Please try again.")
        if not self._is_origin_allowed():
            self.shop.metrics.auth_failed("origin")
            raise Forbidden("Pages of this origin may not connect.")
        if self.shop.settings.rate_limits:
            self._check_sockets()

    def check_origin(self, origin: str) -> bool:
        """CONTRACT section 4: an exact match, nothing alike. Tornado asks only where the browser
        does not say ``Sec-Fetch-Site: same-origin``, so ``prepare`` has asked before."""
        return origin in self.shop.settings.origins

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def get_compression_options(self) -> None:
        """None: compressed frames could hide their size, and cost memory a socket."""

    def get_websocket_protocol(self) -> WebSocketProtocol13 | None:
        protocol = super().get_websocket_protocol()
        if not isinstance(protocol, WebSocketProtocol13):
            return None  # another version than 13
        return StrictProtocol(self, False, protocol.params)

    def _has_key(self) -> bool:
        """RFC 6455 section 4.2.1, which Tornado does not ask for: who sends less is no browser."""
        key = self.request.headers.get("Sec-WebSocket-Key", "")
        try:
            return len(binascii.a2b_base64(key, strict_mode=True)) == KEY_BYTES
        except ValueError:
            return False

    def _is_origin_allowed(self) -> bool:
        origin = self.request.headers.get("Origin") or self.request.headers.get(
            "Sec-Websocket-Origin"
        )
        if origin is None:
            return not self.has_cookie_session
        return self.check_origin(origin)

    def _check_sockets(self) -> None:
        who = self.me
        hub = self.shop.hub
        many = hub.open_of(who.key) >= SOCKETS[who.participant.type]
        if many or hub.count >= SOCKETS_IN_ALL:
            self.shop.metrics.limited("sockets")
            raise RateLimited(
                "Too many sockets are open.", retry_after=float(SOCKETS_RETRY_SECONDS)
            )

    # --- The socket's life ----------------------------------------------------------------------

    def open(self, *_: str, **__: str) -> None:
        self.parts.unanswered.discard(self)  # from here on the hub knows what is
        self.set_nodelay(True)  # else an answer waits 40 ms for the client's acknowledgement
        self._name = f"socket {next(_numbers)}"
        self._is_writing = False
        self._pushed_at: float | None = None  # since when the oldest event waits that is written
        self._taken: asyncio.Event | None = None  # while a replay waits for its reader
        self._unanswered: set[asyncio.Task[None]] = set()
        self._warnings = 0
        self._warned_at = 0.0
        self._loop = asyncio.get_running_loop()
        self.connection = Connection(self.me, wake=self._write_soon, close=self._end)
        self.shop.hub.connect(self.connection)
        self._timer = self._loop.call_later(REGISTER_SECONDS, self._give_up_waiting)
        extra = {"socket": self._name, "request": self.request_id, "who": self.me.key}
        log.info("opened", extra=extra)
        # What came and went with the upgrade: a tenth of what an idle socket takes, and more where
        # a browser has much to say. In place, as Tornado holds on to them for as long.
        self.request.headers.clear()
        self._headers.clear()

    async def on_message(self, message: str | bytes) -> None:
        # Tornado makes a task of this: one client's frames, all of them in a buffer, give way to
        # everybody else's in between.
        if self.shop.accounts.is_refused(self.me):
            self.connection.close(SESSION_ENDED, "the session has ended")
        if self.connection.is_closing:
            return
        frame_id: Any = None
        try:
            frame = codec.decode_frame(message)
            frame_id = frame.id
            await self._take(frame)
        except codec.FrameRefused as refused:
            self._refuse(refused.error, refused.frame_id)
            self._count_refused_frame()
        except ChatError as error:
            self._refuse(error, frame_id)
        except Exception:  # one guard a frame: the socket stays
            log.exception("a frame failed", extra={"socket": self._name})
            self._refuse(Internal(), frame_id)

    def on_close(self) -> None:
        if not hasattr(self, "connection"):
            return
        self.connection.ended()
        self._timer.cancel()
        self._go_on()
        self.shop.chat.disconnect(self.connection)
        code = self.connection.closed_with or self.close_code
        self.shop.metrics.closed(code)
        extra = {"socket": self._name, "who": self.me.key, "code": code}
        log.info("closed", extra=extra)

    # --- Frames ---------------------------------------------------------------------------------

    async def _take(self, frame: codec.Frame) -> None:
        is_paced = self.connection.registered and frame.event in PACED_BY_PERSON
        if not is_paced:
            self._check_flood()
        row = codec.command_for(frame)
        if not self.connection.registered and row.data is not events.RegisterUser:
            raise NotRegistered("register_user comes first.")
        if self._unanswered and row.data is not events.SendMessage:
            await asyncio.wait(self._unanswered)  # what follows a message takes effect after it
        try:
            command = codec.decode(frame.data, row.data)
            method = getattr(self.shop.chat, row.method)
            result = await or_not_at_all(method(self.me, command, self.connection))
        except (BadRequest, Invalid, Forbidden):
            if is_paced:  # what could not be sent took nothing from the limit of messages
                self._check_flood()
            raise
        if isinstance(result, Struct):
            self._acknowledge(frame.id, result)
        else:
            await self._answer_later(frame.id, result)
        if self.connection.catching_up is not None:
            self._timer.cancel()
            await self._catch_up()

    async def _catch_up(self) -> None:
        try:
            await self.shop.chat.catch_up(self.connection, self._until_taken)
        except ChatError as error:
            self._refuse(error, None)  # the frame has been answered

    async def _answer_later(self, frame_id: Any, work: Coroutine[Any, None, Struct]) -> None:
        """A message is in the journal's order by now; the next frame need not wait for its answer,
        so that many share one round."""
        task = asyncio.create_task(self._answer(frame_id, work))
        self._unanswered.add(task)
        self.connection.unanswered += 1
        task.add_done_callback(self._answered)
        if len(self._unanswered) >= UNANSWERED:
            await asyncio.wait(self._unanswered, return_when=asyncio.FIRST_COMPLETED)

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._unanswered.discard(task)
        self.connection.unanswered -= 1

    async def _answer(self, frame_id: Any, work: Coroutine[Any, None, Struct]) -> None:
        try:
            result = await or_not_at_all(work)
        except ChatError as error:
            self._refuse(error, frame_id)
        except Exception:  # see on_message
            log.exception("a message failed", extra={"socket": self._name})
            self._refuse(Internal(), frame_id)
        else:
            self._acknowledge(frame_id, result)

    def _acknowledge(self, frame_id: Any, data: Struct) -> None:
        if frame_id is not None:
            self.connection.answer(codec.encode_ack(frame_id, data))

    def _refuse(self, error: ChatError, frame_id: Any) -> None:
        self.shop.metrics.refused(error)
        self.connection.answer(codec.encode_error(frame_id, codec.error_data(error)))

    # --- Flooding -------------------------------------------------------------------------------

    def _check_flood(self) -> None:
        """Raises ``RateLimited`` for an event too many, and ends who goes on after warnings."""
        try:
            self.shop.pace.take("events", self._name)
        except RateLimited:
            now = time.monotonic()
            self._warnings = 1 if now - self._warned_at > CALM_SECONDS else self._warnings + 1
            self._warned_at = now
            if self._warnings > WARNINGS:
                self.connection.close(FLOODING, "flooding")
            raise

    def _count_refused_frame(self) -> None:
        try:
            self._check_flood()
        except RateLimited as error:
            self._refuse(error, None)

    def _give_up_waiting(self) -> None:
        if not self.connection.registered:
            self.connection.close(NOT_REGISTERED, "register_user did not come")

    # --- Writing --------------------------------------------------------------------------------

    def _write_soon(self) -> None:
        """Something waits. What follows in this turn of the loop goes with it."""
        if not self._is_writing:
            self._is_writing = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """The only one that writes: empties the outbox, several events as one array. While the
        client has not taken a frame the next one gathers."""
        connection = self.connection
        while (frame := connection.outbox.take()) is not None:
            self._pushed_at, connection.pushed_at = connection.pushed_at, None
            try:
                written = self.write_message(frame)
            except WebSocketClosedError:
                self._give_up()
                return
            if not written.done():
                written.add_done_callback(self._written)
                return
            if not self._was_taken(written):
                return
        self._is_writing = False

    def _written(self, written: "asyncio.Future[None]") -> None:
        if self._was_taken(written):
            self._write()

    def _was_taken(self, written: "asyncio.Future[None]") -> bool:
        if written.cancelled() or written.exception():
            self._give_up()
            return False
        self._go_on()
        if self._pushed_at is not None:
            self.shop.metrics.pushed(time.monotonic() - self._pushed_at)
        return True

    def _give_up(self) -> None:
        """The stream has ended. ``on_close`` comes when the frame at work is done, so a replay must
        not wait for its reader any more."""
        self.connection.ended()
        self._go_on()

    def _end(self, code: int, reason: str) -> None:
        """What the connection closes itself with."""
        self._go_on()
        self.close(code, reason)

    async def _until_taken(self) -> None:
        """Waits until half of the outbox is free, for a replay to go on."""
        while not self.connection.outbox.is_half_empty and not self.connection.is_closing:
            self._taken = asyncio.Event()
            await self._taken.wait()
        self._taken = None

    def _go_on(self) -> None:
        """Lets a replay look whether there is room again, or nobody left."""
        if self._taken is not None:
            self._taken.set()

    def finish_error(self, error: ChatError) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(codec.encode(events.ErrorAnswer(codec.error_data(error))))
