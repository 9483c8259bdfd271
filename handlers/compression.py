"""Texts as they go over the wire: the bytes as they are, and compressed for who can read that.

Only what is the same for everybody is compressed. Where a secret or somebody's own data stands in
one answer with words that another chose, its compressed length tells about the one by the other
(the BREACH attack).
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from tornado import web

_NAMED: Final = re.compile(
    r"(?:^|,)\s*gzip\s*(?:;\s*q=(?P<weight>[\d.]+)\s*)?(?:,|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Packed:
    """A text with its media type; ``digest`` names its content."""

    kind: str
    plain: bytes
    zipped: bytes
    digest: str

    @classmethod
    def of(cls, text: str, kind: str) -> "Packed":
        plain = text.encode()
        digest = hashlib.sha256(plain).hexdigest()[:16]
        return cls(kind, plain, gzip.compress(plain, mtime=0), digest)


def reads_gzip(accept_encoding: str) -> bool:
    """Whether a client says that it does, in its ``Accept-Encoding`` (RFC 9110 section 12.5.3)."""
    named = _NAMED.search(accept_encoding)
    return named is not None and (named["weight"] or "1").strip("0.") != ""


class PackedHandler(web.RequestHandler):
    """A door that may answer with a ``Packed`` text."""

    def send_packed(self, packed: Packed) -> None:
        """Answers with it, compressed for who can read that; "not modified" to who has it."""
        self.set_header("Content-Type", packed.kind)
        self.add_header("Vary", "Accept-Encoding")
        self.set_header("Etag", f'W/"{packed.digest}"')
        if self.check_etag_header():
            self.set_status(304)
        elif reads_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            self.write(packed.zipped)
        else:
            self.write(packed.plain)
