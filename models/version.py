"""Which Shopbell this is, and the oldest libraries it may run with."""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

VERSION: Final = "1.0.0"

# Older ones have faults that are open doors here, or lack what we rely on. requirements.txt pins
# what is tested; these are what is refused.
OLDEST_PYTHON: Final = (3, 11)
OLDEST: Final = {
    "tornado": "6.6.1",  # before, tiny chunks of a body blocked the loop for everybody
    "pyjwt": "2.15.1",  # before, unknown critical headers and empty keys passed
    "jinja2": "3.1.6",  # before, the sandbox and xmlattr let things out
    "pymongo": "4.20",
    "motor": "3.7.1",
    "argon2-cffi": "25.1",
}


def too_old() -> list[str]:
    """A sentence for each thing that is missing or too old to start with."""
    found = [
        f"{name} {installed or 'is missing'}; {oldest} or newer is needed."
        for name, oldest in OLDEST.items()
        if _parts(installed := _installed(name)) < _parts(oldest)
    ]
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        found.append(f"Python {sys.version.split()[0]}; {wanted} or newer is needed.")
    return found


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
