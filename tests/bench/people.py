"""Who writes to whom. All servers believe the same tokens, as they are given the same secret."""

from typing import Final, NamedTuple

from models.conversation import Participant
from models.tokens import Tokens

SECRET: Final = "a secret for servers on loopback, for minutes"
TOKEN_SECONDS: Final = 3600

_tokens = Tokens(SECRET, SECRET[::-1])


class Person(NamedTuple):
    """Somebody with a token. ``type`` is ``Buyer`` or ``Seller``."""

    type: str
    id: str
    token: str

    @property
    def key(self) -> str:
        return f"{self.type}:{self.id}"


def buyer(id_: str) -> Person:
    return _introduced(Participant("Buyer", id_))


def seller(id_: str) -> Person:
    return _introduced(Participant("Seller", id_))


def pairs(name: str, count: int) -> list[tuple[Person, Person]]:
    """So many buyers, each with a seller of their own."""
    return [(buyer(f"{name}-{n}"), seller(f"{name}-{n}")) for n in range(count)]


def _introduced(who: Participant) -> Person:
    token = _tokens.issue(who, who.id.title(), seconds=TOKEN_SECONDS)
    return Person(who.type, who.id, token)
