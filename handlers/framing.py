"""RFC 6455 to the letter: who sends a frame that it forbids is told by a close code, and cut off.

Tornado cuts such a socket without a word, takes frames without a mask, and sends back whatever
close code came. Frames are read there; here is only what becomes of the wrong ones.
"""

from asyncio import Future
from typing import Any, Final

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketProtocol13

TEXT: Final = 0x1
CLOSE: Final = 0x8

# RFC 6455, section 7.4.1.
PROTOCOL_ERROR: Final = 1002
NO_UTF8: Final = 1007
REGISTERED_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


class StrictProtocol(WebSocketProtocol13):
    """The server's side of one socket."""

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> "Future[None]":
        """Sends a frame; a text's bytes as they are. Raises ``WebSocketClosedError``.

        The future is the stream's own, done when the client's side has taken all. Tornado wraps it
        in a task, which costs more than the rest of the writing.
        """
        if binary or not isinstance(message, bytes):
            return super().write_message(message, binary)
        try:
            return self._write_frame(True, TEXT, message)
        except StreamClosedError:
            raise WebSocketClosedError from None

    def _handle_message(self, opcode: int, data: bytes) -> "Future[None] | None":
        is_masked = self._frame_mask is not None
        self._frame_mask = None  # Tornado sets it where a frame has one, and leaves it
        if not is_masked:  # section 5.1: a server must not take it
            self._fail(PROTOCOL_ERROR, "a frame without a mask")
            return None
        text = data
        if opcode == CLOSE and data:
            if int.from_bytes(data[:2]) not in REGISTERED_CODES:
                self._fail(PROTOCOL_ERROR, "no close code")
                return None
            text = data[2:]
        if opcode in (TEXT, CLOSE):
            try:
                text.decode()
            except UnicodeDecodeError:
                self._fail(NO_UTF8, "no UTF-8")
                return None
        return super()._handle_message(opcode, data)

    def _abort(self) -> None:
        """Ends a socket at once; if the other side still listens, it did something forbidden."""
        if not self.stream.closed():
            self.close(PROTOCOL_ERROR, "a frame that RFC 6455 forbids")  # nothing, if it closes
        super()._abort()

    def _fail(self, code: int, reason: str) -> None:
        self.close(code, reason)
        self._abort()
