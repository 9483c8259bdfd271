"""What can be wrong with a shop's settings, files, clock and database, in words.

Looks and says; mends nothing.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from models import data_dir
from models.disk import disk_is_low
from models.errors import Unavailable
from models.options import SettingsError
from models.settings import SECRET_FILES, Settings
from models.store import Greeting, RestoreUnfinished, SchemaTooNew, Store
from models.store_connection import refusal_of
from models.version import too_old

# MongoDB's versions, as "hello" tells them.
WIRE_6_0: Final = 17
WIRE_8_0: Final = 25

CLOCK_SLACK: Final = timedelta(seconds=30)  # as much as a token's issuer may be ahead
BUILT_IN: Final = 2026  # a clock before this year has never been set


def faults_of_program() -> list[str]:
    """Libraries that are too old."""
    return too_old()


def faults_of_settings(settings: Settings) -> list[str]:
    """What is possible, and yet not wise."""
    return [*_open_to_the_network(settings), *_secret_files(settings), *_disk(settings.data_dir)]


def faults_of_clock(now: datetime) -> list[str]:
    """A clock that cannot be right."""
    if now.year < BUILT_IN:
        return [f"The clock says {now:%Y-%m-%d %H:%M} UTC; tokens would end at the wrong time."]
    return []


async def faults_of_database(store: Store, *, is_embedded: bool) -> list[str]:
    """What is wrong with the database, or with what may be done there. Its probe's document is
    written, and nothing else is changed."""
    found: list[str] = []
    try:
        greeting, newest = await store.greeting(), await store.settled_at()
        found += faults_of_greeting(greeting, newest, datetime.now(UTC), is_embedded=is_embedded)
        await store.check_schema()
        await store.probe()
    except Unavailable as error:
        found.append(refusal_of(error))
    except (SchemaTooNew, RestoreUnfinished) as error:
        found.append(str(error))
    return found


def faults_of_greeting(
    greeting: Greeting, newest: datetime | None, now: datetime, *, is_embedded: bool
) -> list[str]:
    """What the database says of itself, and the ``newest`` moment that is stored there."""
    found = []
    if greeting.wire_version < WIRE_6_0:
        found.append("The database is older than MongoDB 6.")
    if not is_embedded and not greeting.is_replica_set:
        told = "The database is a standalone server; a replica set or Atlas is needed"
        if greeting.wire_version >= WIRE_8_0:
            told += ": a standalone MongoDB 8 was seen to lose acknowledged messages when killed"
        found.append(f"{told}.")
    if abs(greeting.clock - now) > CLOCK_SLACK:
        seconds = abs(greeting.clock - now).total_seconds()
        found.append(f"This machine's clock and the database's differ by {seconds:.0f} seconds.")
    if newest is not None and newest - now > CLOCK_SLACK:
        found.append(
            f"The clock is behind what is stored: the newest is of {newest:%Y-%m-%d %H:%M}."
        )
    return found


def has_secrets(settings: Settings) -> bool:
    """Whether both secrets are given or kept already: a first start makes them, a look does not.
    Raises ``OSError``."""
    given = (settings.secret, settings.identity_secret)
    kept = (settings.data_dir / name for name in SECRET_FILES)
    return all(secret or path.exists() for secret, path in zip(given, kept, strict=True))


def _open_to_the_network(settings: Settings) -> Iterator[str]:
    clear = "passwords and messages travel in the clear. Put a proxy with TLS in front and give"
    if not settings.secure and not _is_loopback(settings.address):
        yield f"It listens on {settings.address} without https: {clear} --public-url=https://…."
    elif not settings.secure and not _is_loopback(urlsplit(settings.origin).hostname or ""):
        yield f"public-url {settings.origin} is without https: {clear} that one's https://…."
    if settings.secure and not settings.trusted_proxies:
        yield (
            "public-url is https, so a proxy stands in front, but trusted-proxies is empty: all"
            " visitors count as one address, and share its limits."
        )


def _secret_files(settings: Settings) -> Iterator[str]:
    try:
        for path in (settings.data_dir, *(settings.data_dir / name for name in SECRET_FILES)):
            if path.exists() and data_dir.open_to_others(path):
                yield f"{path} is open to others on this machine; chmod go= {path}."
        if has_secrets(settings):
            settings.with_secrets()
    except OSError as error:
        yield f"{error.filename} cannot be looked at: {error.strerror}."
    except SettingsError as error:
        yield str(error)


def _disk(directory: Path) -> Iterator[str]:
    if disk_is_low(directory):
        left = shutil.disk_usage(directory).free // 1024**2
        yield f"The disk of {directory} is nearly full: {left} MiB are left."


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"
