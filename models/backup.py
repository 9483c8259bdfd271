"""Taking a backup of a shop while it goes on, and putting one back into an empty place.

A backup holds every message that was acknowledged before it began, and of each conversation a
beginning without holes. Nothing is locked for it; what changes hands meanwhile is read once more.
The file's form is ``backup_file.py``'s, documents are ``store_archive.py``'s.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from models import data_dir
from models.backup_file import (
    FORM,
    BackupRefused,
    Contents,
    Document,
    Header,
    Writer,
    checked,
    valid_documents,
)
from models.store_archive import BATCH, Archive, Handover, Kept, NotEmpty
from models.store_schema import VERSION

__all__ = ["Backup", "BackupRefused", "back_up", "checked_backup", "mark_of_secret", "restore"]

PAGE: Final = 200  # messages read at once
LOOKS: Final = 60  # at what changes hands, before it is given up
TORN_LOOKS: Final = 5  # what is torn after so many looks is so in the database
PAUSE_SECONDS: Final = 0.5  # between two looks


def mark_of_secret(secret: str | None) -> str:
    """Tells one secret from another and nothing else of it; empty for one that is not known."""
    if secret is None:
        return ""
    return hmac.digest(secret.encode(), b"shopbell backup", "sha256").hex()[:16]


# --- Taking -------------------------------------------------------------------------------------


async def back_up(archive: Archive, path: Path, *, secret: str | None) -> None:
    """Writes a backup of a shop whose tokens are signed with ``secret``.

    The file has its name only when it is whole and lasts, mode 0600; one that bore the name before
    is there until then. Raises ``BackupRefused``, ``SchemaTooNew``, ``RestoreUnfinished`` or
    ``Unavailable``; then nothing is left of it.
    """
    found = await archive.schema()
    if found is None:
        raise BackupRefused("There is no shop yet that could be backed up.")
    version, epoch = found
    header = Header(FORM, version, epoch, datetime.now(UTC), mark_of_secret(secret))
    with _draft(path) as file:
        writer = Writer(file, header)
        await _Taking(archive, writer).everything()
        writer.finish()


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, data_dir.FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        data_dir.sync(path.parent)
    except OSError as error:
        raise BackupRefused(f"{path} cannot be written: {error.strerror}.") from error


class _Taking:
    """One pass through a shop that goes on meanwhile."""

    def __init__(self, archive: Archive, writer: Writer) -> None:
        self._archive = archive
        self._writer = writer
        self._torn: set[str] = set()  # conversations that changed under the eyes of the last look

    async def everything(self) -> None:
        # First what was settled: all messages that it does not speak of are mended at a start.
        await self._copy("meta")
        handovers = await self._archive.handovers()
        await self._copy("revoked")
        await self._copy("erasures")
        await self._look(self._archive.conversations())
        await self._follow(handovers)
        await self._copy("participants")
        await self._copy("logos")

    async def _copy(self, collection: str) -> None:
        async for document in self._archive.documents(collection):
            self._writer.add(collection, document)

    async def _follow(self, before: dict[str, Handover]) -> None:
        """Looks again at what changed hands meanwhile, until nothing does any more.

        A guest's messages that move to a conversation which was read before would be in neither.
        Such a handover is written as one that is not done: a start finishes it, and ends the
        guest's tokens.
        """
        moved: set[str] = set()
        last: tuple[set[str], str] | None = None
        for number in range(LOOKS):
            now = await self._archive.handovers()
            changed = {guest for guest, handover in now.items() if before.get(guest) != handover}
            moved |= changed
            moving = [h for guest, h in now.items() if guest in changed or not h.done]
            people = {key for handover in moving for key in (handover.guest, handover.buyer)}
            names = people | (self._torn if number < TORN_LOOKS else set())
            if not names:
                break
            if last is not None:
                await asyncio.sleep(PAUSE_SECONDS)
            self._writer.again(names)
            look = names, await self._look(self._archive.conversations_again(people, self._torn))
            if look == last and not changed:
                break  # nobody works at what is not done there
            last, before = look, now
        else:
            raise BackupRefused("Conversations change hands all the while; please try again.")
        for guest, handover in now.items():
            is_done = handover.done and guest not in moved
            self._writer.add("handovers", handover.json(done=is_done))

    async def _look(self, conversations: AsyncIterator[Kept]) -> str:
        """Writes conversations, each with its messages, and returns a hash of all of it."""
        self._torn = set()
        seen = hashlib.sha256()
        async for found in conversations:
            self._writer.add("conversations", found.json)
            seen.update(found.json)
            async for message in self._messages(found):
                self._writer.add("messages", message)
                seen.update(message)
        return seen.hexdigest()

    async def _messages(self, found: Kept) -> AsyncIterator[bytes]:
        """A conversation's messages, as they are not earlier than it was read.

        They are expected from its first to its last and beyond, without a hole. Else some went from
        the front, or to another conversation, or one is just being stored while the next one is
        there: then it is torn.
        """
        low = found.first_seq
        following = low
        while True:
            page = await self._archive.messages(found.id, low, low + PAGE - 1)
            for seq, message in page:
                if seq != following:
                    self._torn.add(found.id)
                following = seq + 1
                yield message
            low += PAGE
            if len(page) < PAGE and low > found.last_seq:
                break
        if following <= found.last_seq:
            self._torn.add(found.id)


# --- Putting back -------------------------------------------------------------------------------


class Backup(NamedTuple):
    """An open file that was found to be a whole backup."""

    file: BinaryIO
    path: Path
    contents: Contents


@contextmanager
def checked_backup(path: Path) -> Iterator[Backup]:
    """Opens a backup when each byte of it is as it was written. Raises ``BackupRefused``."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupRefused(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        contents = checked(file, str(path))
        if contents.header.schema > VERSION:
            raise BackupRefused(
                f"{path} has schema {contents.header.schema}, this Shopbell knows {VERSION}:"
                " use a newer Shopbell."
            )
        yield Backup(file, path, contents)


async def restore(archive: Archive, backup: Backup, *, alone: bool) -> None:
    """Puts a backup into an empty place, under an epoch that no client has heard of.

    A place whose restore was interrupted is served by nobody; the same restore once more goes on
    there. ``alone`` says that nobody else can be using the place. Raises ``BackupRefused`` or
    ``Unavailable``.
    """
    file, path, contents = backup
    try:
        begun = await archive.begin_restore(contents.sha256, datetime.now(UTC), alone=alone)
        if not begun.is_stored:
            file.seek(0)
            for collection, documents in _batches(valid_documents(file, str(path), contents)):
                await archive.put_back(collection, documents, begun_at=begun.at)
        await archive.finish_restore(contents.header.schema)
    except NotEmpty as error:
        raise BackupRefused(f"{error}; a backup is restored into an empty place.") from None


def _batches(documents: Iterable[Document]) -> Iterator[tuple[str, list[bytes]]]:
    """Documents of one collection at a time, as many as are stored at once."""
    waiting: defaultdict[str, list[bytes]] = defaultdict(list)
    for document in documents:
        batch = waiting[document.collection]
        batch.append(document.json)
        if len(batch) == BATCH:
            yield document.collection, waiting.pop(document.collection)
    yield from waiting.items()
