"""Signed tokens: who somebody is, in Shopbell's word or in the shop's.

The only module that knows PyJWT. Whether a token was revoked is ``accounts.py``'s business.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import jwt
import msgspec
from jwt.types import Options
from msgspec import Meta, Struct

from models.conversation import GUEST_PREFIX, Identity, Participant
from models.errors import Unauthorized
from models.events import ParticipantId, ParticipantType
from models.text import clean_name

HOUR_SECONDS: Final = 60 * 60
DAY_SECONDS: Final = 24 * HOUR_SECONDS
GUEST_SECONDS: Final = 90 * DAY_SECONDS  # CONTRACT section 2
SESSION_SECONDS: Final = 14 * DAY_SECONDS  # a seller's login
VOUCHED_SECONDS: Final = DAY_SECONDS  # a verified buyer; their page brings a fresh identity anyway
LONGEST_SECONDS: Final = 365 * DAY_SECONDS  # CONTRACT section 2
IDENTITY_SECONDS: Final = HOUR_SECONDS  # CONTRACT section 2
AHEAD_SECONDS: Final = 30  # how far another machine's clock may be ahead: CONTRACT section 2
TOKEN_BYTES: Final = 4096
SECRET_CHARACTERS: Final = 32
GUEST_NAME: Final = "Guest"

_ALGORITHM = "HS256"
_OUR_CLOCK: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
# Three parts, the last of 32 bytes: nothing before, between or after them.
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")
# A session id lies in one list with participants' keys ("Buyer:b1"), so it has no colon.
_JTI = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_Seconds = Annotated[int, Meta(ge=0, le=2**53)]


class _Claims(Struct, frozen=True):
    """What Shopbell's and the shop's tokens have in common."""

    sub: ParticipantId
    exp: _Seconds
    iat: _Seconds | None = None
    nbf: _Seconds | None = None
    name: str | None = None


class _TokenClaims(_Claims, frozen=True, kw_only=True):
    type: ParticipantType
    jti: str | None = None


class _IdentityClaims(_Claims, frozen=True):
    type: ParticipantType | None = None
    email: str | None = None


_C = TypeVar("_C", bound=_Claims)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A logged-in buyer of the shop, as the shop's own back end tells it."""

    participant: Participant
    name: str
    email: str | None
    issued_at: int


class Tokens:
    """Makes and reads tokens. Every refusal is the same ``Unauthorized``."""

    def __init__(
        self, secret: str, identity_secret: str, *, now: Callable[[], float] = time.time
    ) -> None:
        if min(len(secret), len(identity_secret)) < SECRET_CHARACTERS:
            raise ValueError(f"A secret has at least {SECRET_CHARACTERS} characters.")
        if secret == identity_secret:
            raise ValueError("The two secrets must differ, or the shop could vouch for sellers.")
        self._secret = secret
        self._identity_secret = identity_secret
        self._now = now

    def issue(
        self, participant: Participant, name: str, *, seconds: int, not_before: int = 0
    ) -> str:
        """A token for ``seconds``, issued now or at ``not_before`` if that is later."""
        if not 0 < seconds <= LONGEST_SECONDS:
            raise ValueError("A token lives for a second at least and for a year at most.")
        issued_at = max(int(self._now()), not_before)
        claims = {
            "sub": participant.id,
            "type": participant.type,
            "name": name,
            "iat": issued_at,
            "exp": issued_at + seconds,
            "jti": secrets.token_hex(16),
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def issue_guest(self) -> tuple[str, Identity]:
        """A token for a buyer whom nobody knows, with an id of 128 random bits."""
        guest = Participant("Buyer", GUEST_PREFIX + secrets.token_hex(16))
        token = self.issue(guest, GUEST_NAME, seconds=GUEST_SECONDS)
        return token, self.read(token)

    def read(self, token: str) -> Identity:
        """Whom a token introduces. Raises ``Unauthorized``.

        A missing ``name`` is the id, a missing ``iat`` the beginning of time: such a token ends
        with the first change of password.
        """
        claims = self._read(token, self._secret, _TokenClaims, LONGEST_SECONDS)
        participant = Participant(claims.type, claims.sub)
        if claims.type == "Seller" and claims.sub.startswith(GUEST_PREFIX):
            raise Unauthorized
        session = claims.jti or ""
        if not _JTI.fullmatch(session):
            signed, _, _ = token.rpartition(".")
            session = "sha256:" + hashlib.sha256(signed.encode()).hexdigest()
        name = clean_name(claims.name or "") or claims.sub
        return Identity(participant, name, session, claims.iat or 0, claims.exp)

    def renewed(self, identity: Identity) -> str | None:
        """A guest's new token once a third of the old one's time is gone, else None."""
        if identity.participant.verified:
            return None
        lifetime = identity.expires_at - identity.issued_at
        if self._now() < identity.issued_at + lifetime / 3:
            return None
        return self.issue(identity.participant, identity.name, seconds=GUEST_SECONDS)

    def read_identity(self, token: str) -> Vouched:
        """Whom the shop vouches for: a buyer and no guest. Raises ``Unauthorized``."""
        claims = self._read(token, self._identity_secret, _IdentityClaims, IDENTITY_SECONDS)
        if claims.type == "Seller" or claims.sub.startswith(GUEST_PREFIX):
            raise Unauthorized
        email = claims.email if _EMAIL.fullmatch(claims.email or "") else None
        name = clean_name(claims.name or "") or claims.sub
        return Vouched(Participant("Buyer", claims.sub), name, email, claims.iat or 0)

    def _read(self, token: str, secret: str, struct: type[_C], longest: int) -> _C:
        if len(token) > TOKEN_BYTES or not _FORM.fullmatch(token):
            raise Unauthorized
        claims = _checked(_verified(token, secret), struct)
        now = self._now()
        issued_at = int(now) if claims.iat is None else claims.iat
        starts_at = max(issued_at, claims.nbf or 0)
        if starts_at > now + AHEAD_SECONDS:
            raise Unauthorized
        if claims.exp <= now or not 0 < claims.exp - issued_at <= longest:
            raise Unauthorized
        return claims


def _verified(token: str, secret: str) -> dict[str, Any]:
    """The payload, once the signature is proven. Times are checked afterwards, by our own clock."""
    try:
        decoded = jwt.decode_complete(token, secret, algorithms=[_ALGORITHM], options=_OUR_CLOCK)
    except jwt.PyJWTError:
        raise Unauthorized from None
    # Other headers ask to trust a key from elsewhere, or to know an extension. Nobody needs them.
    header = decoded["header"]
    if not header.keys() <= {"alg", "typ"} or str(header.get("typ", "JWT")).upper() != "JWT":
        raise Unauthorized
    payload: dict[str, Any] = decoded["payload"]
    return payload


def _checked(payload: dict[str, Any], struct: type[_C]) -> _C:
    try:
        return msgspec.convert(payload, struct)
    except msgspec.ValidationError:
        raise Unauthorized from None
