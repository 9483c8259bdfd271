"""The way to the database: how the driver is asked, and what may go wrong with it.

Motor is past its bug-fix end. Only what it shares with PyMongo's own async client is used, so a
move touches the modules ``store*.py`` alone.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from typing import Any, Final

import pymongo
from motor.frameworks.asyncio import max_workers as MOTOR_THREADS  # noqa: N812  # it is constant
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import BulkWriteError, ConfigurationError, OperationFailure, PyMongoError
from pymongo.server_api import ServerApi

from models.breaker import TimedOut
from models.errors import Unavailable

OPERATION_MILLISECONDS: Final = 5000
SELECTION_MILLISECONDS: Final = 2000
CLOSE_SECONDS: Final = 0.5
POOL_SIZE: Final = 20
# Calls at a time. Motor makes each in a thread of its own, of which it has few. Two are left to who
# asks whether the database lives: that must not wait behind calls that hang.
PLACES: Final = max(1, min(POOL_SIZE, MOTOR_THREADS) - 2)
DUPLICATE_KEY: Final = 11000
# MongoDB's error codes, and what they mean to whoever set it up.
REFUSALS: Final = {
    13: "The database's user may not read and write there; it needs the role readWrite.",
    18: "The database does not know the user that mongodb-uri names, or not with this password.",
}


class Taken(Exception):
    """A message met another one under its ``seq`` or its ``client_id``.

    ``stored`` counts the messages of the batch that were stored before it.
    """

    def __init__(self, stored: int) -> None:
        super().__init__(stored)
        self.stored = stored


class UriRefused(Exception):
    """The driver can make nothing of the database's URI."""


def connected(uri: str) -> Any:
    """Raises ``UriRefused``."""
    try:
        return AsyncIOMotorClient(
            uri,
            io_loop=asyncio.get_running_loop(),
            appname="shopbell",
            # What the embedded engine lacks is refused everywhere, so it cannot creep in.
            server_api=ServerApi("1", strict=True, deprecation_errors=True),
            tz_aware=True,
            tzinfo=UTC,
            w="majority",
            journal=True,  # without it acknowledged messages were lost under SIGKILL
            retryReads=True,  # and writes, unless the URI says otherwise
            serverSelectionTimeoutMS=SELECTION_MILLISECONDS,
            connectTimeoutMS=SELECTION_MILLISECONDS,
            timeoutMS=OPERATION_MILLISECONDS,  # for all of it: waiting, connecting, trying again
            maxPoolSize=POOL_SIZE,
        )
    except (ConfigurationError, ValueError) as error:
        raise UriRefused(str(error)) from error


def close(client: Any) -> None:
    """Lets a client go. It says so to the database; of one that hangs the answer is not awaited
    longer than ``CLOSE_SECONDS``, where the driver itself would take twelve."""
    with pymongo.timeout(CLOSE_SECONDS):
        client.close()


async def create_user(uri: str, username: str, password: str) -> None:
    """Creates the embedded engine's one user, on a server that runs without authentication.

    A user who is there already keeps their place and gets the password.
    """
    client = connected(uri)
    roles = ["root"]
    try:
        try:
            await client.admin.command("createUser", username, pwd=password, roles=roles)
        except PyMongoError:
            await client.admin.command("updateUser", username, pwd=password, roles=roles)
    finally:
        close(client)


async def probe(uri: str) -> None:
    """Writes journaled and reads back, on a connection of its own. Raises ``Unavailable``."""
    client = connected(uri)
    try:
        async with translated():
            await probe_database(client["shopbell_probe"])
    finally:
        await asyncio.to_thread(close, client)  # the loop is everybody's


async def probe_database(database: Any) -> None:
    mark = secrets.token_hex(8)
    await database.meta.update_one({"_id": "probe"}, {"$set": {"mark": mark}}, upsert=True)
    found = await database.meta.find_one({"_id": "probe"})
    if found is None or "mark" not in found:
        raise Unavailable


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """The one map from driver errors to ours."""
    try:
        yield
    except PyMongoError as error:
        raise (TimedOut if error.timeout else Unavailable) from error


def refusal_of(error: Unavailable) -> str:
    """Why the database refused, in words, if it did answer; else what ``error`` says."""
    cause = error.__cause__
    if isinstance(cause, OperationFailure):
        if cause.code in REFUSALS:
            return REFUSALS[cause.code]
        if "journal" in str(cause):
            return "The database keeps no journal: messages that it took could be lost."
        # Not its text, which may hold what was asked.
        return f"The database refuses to be read or written: error {cause.code}."
    return error.message


@contextmanager
def taken() -> Iterator[None]:
    """Tells a refusal by a unique index, in an ordered batch, from an unknown outcome."""
    try:
        yield
    except Unavailable as error:
        if isinstance(error.__cause__, BulkWriteError):
            details = error.__cause__.details
            faults = details.get("writeErrors", [])
            is_durable = not details.get("writeConcernErrors")  # what was stored before it
            if faults and faults[0]["code"] == DUPLICATE_KEY and is_durable:
                raise Taken(faults[0]["index"]) from None
        raise
