"""A backup's file: JSON lines, a manifest of what they hold, and a seal over every byte.

1. ``{"shopbell_backup": 1, …}``: the form's number, the schema, the epoch, when it was begun.
2. ``{COLLECTION: DOCUMENT}``, one a line. A conversation is followed by all its messages.
3. ``{"again": [NAME, …]}``: these conversations, or conversations of these people, changed while
   they were read. What stands above of them is void; as far as they are there, they follow anew.
4. ``{"manifest": {COLLECTION: {"documents": …, "sha256": …}}}``, the hash being of those lines.
5. ``{"sha256": …}``: of every byte above. Nothing follows.

What a document holds is the store's knowledge; of a conversation it is only known whose it is.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final, NamedTuple

import msgspec

FORM: Final = 1
LINE_BYTES: Final = 32 * 1024 * 1024  # a document of the database's largest, in JSON
COLLECTIONS: Final = (
    *("meta", "revoked", "erasures", "conversations", "messages", "handovers"),
    *("participants", "logos"),
)


class BackupRefused(Exception):
    """A file, or a place, is not fit for what was asked; one clear sentence for the owner."""


class Header(msgspec.Struct, frozen=True):
    """The first line. ``secret`` tells which one signed the shop's tokens, and not what it is."""

    shopbell_backup: int
    schema: int
    epoch: str
    begun_at: datetime
    secret: str


class Sum(msgspec.Struct, frozen=True):
    """What the manifest says of a collection."""

    documents: int
    sha256: str


class Document(NamedTuple):
    """A document's line: in which collection it lies, and its JSON."""

    collection: str
    json: bytes


class Again(NamedTuple):
    """What stands above of these conversations, and of conversations of these people, is void."""

    names: frozenset[str]


class _Again(msgspec.Struct):
    again: list[str]


class _Manifest(msgspec.Struct):
    manifest: dict[str, Sum]


class _Seal(msgspec.Struct):
    sha256: str


class _Place(msgspec.Struct):
    key: str


class _Id(msgspec.Struct):
    hex: str = msgspec.field(name="$oid")


class _Conversation(msgspec.Struct):
    id: _Id = msgspec.field(name="_id")
    participants: list[_Place]

    @property
    def names(self) -> set[str]:
        return {self.id.hex, *(place.key for place in self.participants)}


@dataclass(slots=True)
class _Sums:
    """What was seen so far."""

    documents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLLECTIONS, 0))
    hashes: dict[str, "hashlib._Hash"] = field(
        default_factory=lambda: {name: hashlib.sha256() for name in COLLECTIONS}
    )

    def add(self, collection: str, line: bytes) -> None:
        self.documents[collection] += 1
        self.hashes[collection].update(line)

    @property
    def manifest(self) -> dict[str, Sum]:
        return {n: Sum(self.documents[n], self.hashes[n].hexdigest()) for n in COLLECTIONS}


class Writer:
    """Writes a backup's lines into an open file, from the header to the seal."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._sums = _Sums()
        self._all = hashlib.sha256()
        self._write(header)

    def add(self, collection: str, json: bytes) -> None:
        line = b'{"%s":%s}\n' % (collection.encode(), json)
        self._sums.add(collection, line)
        self._put(line)

    def again(self, names: Iterable[str]) -> None:
        """Makes void what was added of conversations by their ids, or by people's keys."""
        self._write(_Again(sorted(names)))

    def finish(self) -> None:
        """Writes the manifest and the seal."""
        self._write(_Manifest(self._sums.manifest))
        self._write(_Seal(self._all.hexdigest()))

    def _write(self, struct: msgspec.Struct) -> None:
        self._put(msgspec.json.encode(struct) + b"\n")

    def _put(self, line: bytes) -> None:
        self._all.update(line)
        self._file.write(line)


class Reader:
    """Reads a backup's lines from an open file, once and in order.

    ``header`` is read at once. ``lines`` raises ``BackupRefused`` at the end at the latest if any
    byte is not what was written; so what it yields may be believed only after it has ended.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._sums = _Sums()
        self._all = hashlib.sha256()
        self.sha256 = ""  # of the file, once it was read to its end
        try:
            self.header = msgspec.json.decode(self._next(), type=Header)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise self._damaged() from None
        if self.header.shopbell_backup != FORM:
            raise BackupRefused(f"{name} has a form that this Shopbell does not know.")

    def lines(self) -> Iterator[Document | Again]:
        try:
            while True:
                line = self._next()
                [(word, raw)] = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).items()
                if word in COLLECTIONS:
                    self._sums.add(word, line)
                    yield Document(word, bytes(raw))
                elif word == "again":
                    yield Again(frozenset(msgspec.json.decode(line, type=_Again).again))
                else:
                    break
            self._check(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise self._damaged() from None

    def _check(self, line: bytes) -> None:
        """The manifest's line, and the seal's, which is the last."""
        manifest = msgspec.json.decode(line, type=_Manifest, strict=True).manifest
        self.sha256 = self._all.hexdigest()
        seal = msgspec.json.encode(_Seal(self.sha256)) + b"\n"
        if manifest != self._sums.manifest or self._next() != seal or self._file.read(1):
            raise self._damaged()

    def _next(self) -> bytes:
        line = self._file.readline(LINE_BYTES)
        if not line.endswith(b"\n"):
            raise self._damaged()
        self._all.update(line)
        return line

    def _damaged(self) -> BackupRefused:
        return BackupRefused(
            f"{self._name} is no whole backup of Shopbell:"
            " it is damaged, cut off or something else."
        )


class Contents(NamedTuple):
    """What a whole file holds."""

    header: Header
    sha256: str
    again: list[frozenset[str]]


def checked(file: BinaryIO, name: str) -> Contents:
    """Reads a backup to its end. Raises ``BackupRefused`` unless each byte is as it was written."""
    reader = Reader(file, name)
    again = [line.names for line in reader.lines() if isinstance(line, Again)]
    return Contents(reader.header, reader.sha256, again)


def valid_documents(file: BinaryIO, name: str, contents: Contents) -> Iterator[Document]:
    """The documents of a checked file, without those that follow once more. Raises
    ``BackupRefused`` at the end if it is not the file any more that was checked."""
    reader = Reader(file, name)
    later = [*contents.again]
    is_void = False
    for line in reader.lines():
        if isinstance(line, Again):
            del later[:1]
            continue
        if line.collection == "conversations":
            names = msgspec.json.decode(line.json, type=_Conversation).names
            is_void = any(names & void for void in later)
        if not (is_void and line.collection in {"conversations", "messages"}):
            yield line
    if reader.sha256 != contents.sha256:
        raise BackupRefused(f"{name} was changed while it was read.")
