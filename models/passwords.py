"""Passwords and their hashes: argon2id, never on the event loop.

Whose password it is, and what a right one opens, is known in ``accounts.py``.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.errors import Invalid, Unavailable

PASSWORD_CHARACTERS: Final = 128
PASSWORD_CHARACTERS_AT_LEAST: Final = 12

# OWASP's smallest recommendation: about 35 ms and 19 MiB each, so two at a time leave the machine
# to the chat, and a queue of sixteen is worked off in a third of a second.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
AT_ONCE: Final = 2
WAITING: Final = 16

_Result = TypeVar("_Result")


def checked_password(password: str) -> str:
    """A new password that may be taken. Raises ``Invalid``."""
    if not PASSWORD_CHARACTERS_AT_LEAST <= len(password) <= PASSWORD_CHARACTERS:
        raise Invalid(
            f"A password has {PASSWORD_CHARACTERS_AT_LEAST} to {PASSWORD_CHARACTERS} characters.",
            field="password",
        )
    return password


class Passwords:
    """Hashes and compares, two at a time, the others waiting in a bounded queue."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._asked = 0
        self._nobodys = _nobodys_hash()

    async def hashed(self, password: str) -> str:
        """A fresh hash. Raises ``Unavailable`` when too many are waiting."""
        return await self._aside(lambda: HASHER.hash(_bytes(password)))

    async def match(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is this password's; with no hash it never is, and takes as long.

        Raises ``Unavailable`` when too many are waiting.
        """
        compared = await self._aside(
            lambda: _is_hash_of(password[:PASSWORD_CHARACTERS], password_hash or self._nobodys)
        )
        return compared and password_hash is not None and len(password) <= PASSWORD_CHARACTERS

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other costs than today's."""
        return HASHER.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Lets the threads go; what still waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _aside(self, work: Callable[[], _Result]) -> _Result:
        if self._asked >= AT_ONCE + WAITING:
            raise Unavailable("Too many people are signing in. Please try again.", retry_after=1)
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._asked -= 1


@cache
def _nobodys_hash() -> str:
    """What is compared where there is nothing to compare with, so that an unknown account costs as
    much time as a wrong password."""
    return HASHER.hash(secrets.token_bytes(PASSWORD_CHARACTERS_AT_LEAST))


def _is_hash_of(password: str, password_hash: str) -> bool:
    try:
        return HASHER.verify(password_hash, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    """The same password typed on another keyboard gives the same bytes.

    Half a surrogate pair, which only a hostile client sends, stays what it is.
    """
    return normalize("NFKC", password).encode("utf-8", "surrogatepass")
