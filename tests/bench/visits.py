"""Single requests over one kept connection, one after the other, and how long each took."""

import gzip
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.bench.people import Person

SECONDS: Final = 2.0  # for one address; who is slow is asked less often
TIMES: Final = 20
ANSWER_SECONDS: Final = 30


class Visitor:
    """Somebody's connection to a server."""

    def __init__(self, url: str, person: Person) -> None:
        where = urlsplit(url)
        self._connection = HTTPConnection(where.hostname or "", where.port, ANSWER_SECONDS)
        self._headers = {
            "Authorization": f"Bearer {person.token}",
            "Cookie": f"shopbell_session={person.token}",
        }

    def fetch(self, path: str) -> float:
        """The milliseconds until all of it is there. Raises ``AssertionError`` unless it is 200."""
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        taken = 1000 * (time.perf_counter() - begun)
        assert answer.status == 200, f"{path}: {answer.status} {body[:300]!r}"
        return taken

    def fetch_often(self, path: str, most: int = TIMES) -> list[float]:
        """Without the first, which may find nothing prepared, unless that took all the time."""
        if (first := self.fetch(path)) > 1000 * SECONDS:
            return [first]
        deadline, taken = time.monotonic() + SECONDS, []
        while len(taken) < most and (not taken or time.monotonic() < deadline):
            taken.append(self.fetch(path))
        return taken

    def close(self) -> None:
        self._connection.close()


def visits(url: str, person: Person, paths: Sequence[str]) -> list[list[float]]:
    """For each address the milliseconds of its visits."""
    visitor = Visitor(url, person)
    try:
        return [visitor.fetch_often(path) for path in paths]
    finally:
        visitor.close()


def compressed_size(url: str) -> int:
    """The bytes of an answer's body as browsers ask for it, compressed."""
    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"})) as answer:
        body: bytes = answer.read()
        is_compressed = answer.headers.get("Content-Encoding") == "gzip"
        return len(body) if is_compressed else len(gzip.compress(body))
