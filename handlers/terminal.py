"""Talking to whoever sits at the terminal, or to the script in their place."""

import getpass
import sys
from typing import Final

from models.errors import Invalid
from models.passwords import PASSWORD_CHARACTERS, checked_password

# Exit statuses, beside 0.
WRONG: Final = 1
IMPOSSIBLE: Final = 2  # an unknown setting or an impossible value, nothing was started


def say(text: str) -> None:
    """Prints what was asked for, on standard output."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def warn(*sentences: str) -> None:
    """Prints what is wrong, a line each, on standard error."""
    for sentence in sentences:
        sys.stderr.write(f"server.py: {' '.join(sentence.split())}\n")


def asked_password() -> str:
    """A new password, typed twice at a terminal, else the first line of standard input.

    Raises ``Invalid``.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise Invalid("The two passwords differ.", field="password")
        return checked_password(password)
    line = sys.stdin.buffer.readline(8 * PASSWORD_CHARACTERS)
    try:
        return checked_password(line.decode().rstrip("\r\n"))
    except UnicodeDecodeError:
        raise Invalid("The password is not in UTF-8.", field="password") from None
