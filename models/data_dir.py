"""The directory that is ours alone: how it and the files in it are made and kept.

What the files mean is other modules' knowledge.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def made(directory: Path) -> Path:
    """The directory with mode 0700, made if it was not there. An empty one that was prepared for
    us is closed to others as well; one that has files of somebody else's keeps its mode, and
    ``open_to_others`` tells. Raises ``OSError``."""
    try:
        directory.mkdir(DIRECTORY_MODE, parents=True)
    except FileExistsError:
        if not directory.is_dir():
            raise
        if not any(directory.iterdir()):
            directory.chmod(DIRECTORY_MODE)
    return directory


def kept_once(path: Path, make: Callable[[], str]) -> str:
    """The text of a file, which is made once: of several first starts at a time one wins, and all
    read the winner's text. Nobody ever sees half of it. Raises ``OSError``."""
    with suppress(FileNotFoundError):
        return read(path)
    made(path.parent)
    draft = _written_draft(path, make())
    try:
        # Unlike a rename, a link fails if the name is taken: the first one stays.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync(path.parent)
    return read(path)


def read(path: Path) -> str:
    """The text of a file. Raises ``OSError``, ``FileNotFoundError`` among them."""
    return path.read_text(encoding="utf-8", errors="replace")


def open_to_others(path: Path) -> bool:
    """Whether somebody else on this machine may read or change it. Raises ``OSError``."""
    return bool(path.stat().st_mode & 0o077)


def _written_draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def sync(directory: Path) -> None:
    """Makes the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
