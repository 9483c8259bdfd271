"""The log: one line an event on standard error, whatever is in names, agents and paths.

Nobody needs to think of line breaks or secrets where something is logged: both end here.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from models.events import timestamp

LINE_BYTES: Final = 8 * 1024  # PROMISES section 8, "log line"
SPARING_SECONDS: Final = 10.0
# Who tells of what a client can cause at will by speaking no HTTP, or none in time; and of what is
# tried several times a second while the database is away.
SPARED: Final = frozenset({"tornado.general", "shopbell.ledger", "shopbell.chat"})
KINDS: Final = 1_000  # of such lines are remembered

# The net below all care: whoever logs a token or an address with a password, it does not get out.
_SECRETS = re.compile(
    r"(?<![\w-])eyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?"  # a JSON Web Token
    r"|(?<=://)[^\s/@]+(?=@)"  # name and password in a URI
    r"|(?<![\w.%+-])[\w.%+-]{1,64}+@[\w-]+(?:\.[\w-]+)+"  # a mail address, also as an id
)
# All that could end a line or steer a terminal, and what turns the text behind it round.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# What the logging module puts into every record; the rest was given as ``extra``.
_USUAL: Final = frozenset(
    {*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime", "taskName"}
)


def set_up(log_format: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sends all logging to standard error (or ``stream``), in the format of that setting."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Sparing())
    handler.setFormatter(JsonLine() if log_format == "json" else TextLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)


class Sparing(logging.Filter):
    """Of lines that come without end, those of ``SPARED``, lets one of each kind through in ten
    seconds; the next one tells how many were ``left_out``."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._kinds: dict[tuple[int, str], tuple[float, int]] = {}  # silent until, and left out

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name not in SPARED:
            return True
        kind = (record.levelno, str(record.msg)[:40])  # some sentences come with their values
        now = self._now()
        until, left_out = self._kinds.get(kind, (now, 0))
        if now < until:
            self._kinds[kind] = (until, left_out + 1)
            return False
        if len(self._kinds) >= KINDS:
            self._kinds.clear()
        self._kinds[kind] = (now + SPARING_SECONDS, 0)
        if left_out:
            record.left_out = left_out
        return True


class TextLine(logging.Formatter):
    """``2026-01-02T03:04:05.678Z INFO shopbell.http: what happened key=value``"""

    def format(self, record: logging.LogRecord) -> str:
        text = _said(self, record)
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{_moment(record)} {record.levelname} {record.name}: {text}{extra}"
        return _cut(_UNPRINTABLE.sub(_escaped, _blotted(line)))


class JsonLine(logging.Formatter):
    """One object a line: ``time``, ``level``, ``logger``, ``message``, and what was given extra."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _cut(_blotted(_said(self, record))),
        }
        extra = {
            name: value if isinstance(value, int | float) else _cut(_blotted(str(value)))
            for name, value in _extra(record).items()
        }
        fields = extra | line
        text = json.dumps(fields)  # ASCII, so nothing in it is left that a terminal obeys
        while len(text) > LINE_BYTES:  # escapes and several long values add up
            longest = max(fields, key=lambda name: len(str(fields[name])))
            fields[longest] = _cut(str(fields[longest]), len(str(fields[longest])) // 2)
            text = json.dumps(fields)
        return text


def _said(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The message, with its traceback if there is one."""
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + formatter.formatException(record.exc_info)
    return text


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _USUAL}


def _moment(record: logging.LogRecord) -> str:
    return timestamp(datetime.fromtimestamp(record.created, UTC))


def _blotted(text: str) -> str:
    return _SECRETS.sub("[secret]", text)


def _cut(text: str, most: int = LINE_BYTES) -> str:
    """No more bytes than that. The end of a traceback says most, so both ends stay."""
    if len(text) <= most // 4:
        return text  # whatever it is, it is not too long
    encoded = text.encode(errors="replace")
    if len(encoded) <= most:
        return text
    half = most // 2 - 3  # for " … ", which has five bytes
    return f"{encoded[:half].decode(errors='ignore')} … {encoded[-half:].decode(errors='ignore')}"


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]
