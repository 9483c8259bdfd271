"""WebSocket frames from the server (RFC 6455, unmasked, whole) on their way through the proxy."""

import json
import struct
from collections.abc import Callable, Iterator

from tests.chaos.proxy import Filter

TEXT = 0x81  # final, text
HEAD_END = b"\r\n\r\n"


class Frames:
    """Loses the text frames that ``is_lost`` asks for; ``lost`` counts them."""

    def __init__(self, is_lost: Callable[[str], bool]) -> None:
        self.lost = 0
        self._is_lost = is_lost

    def without_some(self) -> Filter:
        """The filter of one connection."""
        waiting = b""
        is_open = False

        def change(chunk: bytes) -> bytes:
            nonlocal waiting, is_open
            waiting += chunk
            passed = b""
            if not is_open:
                head, end, rest = waiting.partition(HEAD_END)
                if not end:
                    return b""
                passed, waiting, is_open = head + end, rest, True
            for frame, text in _frames(waiting):
                waiting = waiting[len(frame) :]
                if text is not None and self._is_lost(text):
                    self.lost += 1
                else:
                    passed += frame
            return passed

        return change


def is_event(text: str, name: str) -> bool:
    """Whether a frame holds this event, alone or among others."""
    content = json.loads(text)
    frames = content if isinstance(content, list) else [content]
    return any(frame["event"] == name for frame in frames)


def _frames(waiting: bytes) -> Iterator[tuple[bytes, str | None]]:
    """The whole frames at the beginning, each with its text if it is one."""
    while len(waiting) >= 2:
        length, start = waiting[1] & 0x7F, 2
        if length == 126:
            start = 4
            length = struct.unpack(">H", waiting[2:4])[0] if len(waiting) >= 4 else 2**62
        elif length == 127:
            start = 10
            length = struct.unpack(">Q", waiting[2:10])[0] if len(waiting) >= 10 else 2**62
        if len(waiting) < start + length:
            return
        frame, waiting = waiting[: start + length], waiting[start + length :]
        yield frame, frame[start:].decode() if frame[0] == TEXT else None
