"""What codes, limits and claims mean to a client: the part of the reference that no struct carries.

Numbers are those of the code that keeps them.
"""

from dataclasses import dataclass
from typing import Final

from handlers.base import BEARER_PROTOCOL, BODY_BYTES, COOKIE, SUBPROTOCOL
from handlers.json_handler import PREFLIGHT_SECONDS
from handlers.socket import (
    FLOODING,
    NOT_REGISTERED,
    REGISTER_SECONDS,
    SOCKETS,
    SOCKETS_IN_ALL,
    WARNINGS,
)
from handlers.stopping import RESTARTING
from handlers.time_limit import ANSWER_SECONDS
from models import events
from models.chat import CATCH_UP_MOST, CONVERSATIONS_SHOWN, FRAME_BYTES
from models.conversation import GUEST_PREFIX
from models.events import ErrorCode
from models.hub import OUTBOX_BYTES, SESSION_ENDED, TOO_SLOW
from models.pace import RULES, Rule
from models.presence import GRACE_SECONDS
from models.text import MESSAGE_CHARACTERS, NAME_CHARACTERS, SUBJECT_CHARACTERS
from models.tokens import (
    AHEAD_SECONDS,
    DAY_SECONDS,
    GUEST_SECONDS,
    IDENTITY_SECONDS,
    LONGEST_SECONDS,
)
from models.version import VERSION

SILENCE_SECONDS: Final = 45  # CONTRACT section 4, `beat`: after this a client reconnects
TOO_LARGE: Final = 1009  # RFC 6455; Tornado sends it
KIB: Final = 1024
MINUTE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the explanations mention, so that none of them tells an old number."""

    version: str = VERSION
    subprotocol: str = SUBPROTOCOL
    bearer: str = BEARER_PROTOCOL
    cookie: str = COOKIE
    guest_prefix: str = GUEST_PREFIX
    participant_id: int = events.PARTICIPANT_ID_LENGTH
    client_id: int = events.CLIENT_ID_LENGTH
    frame_id: int = events.FRAME_ID_LENGTH
    frame_kib: int = FRAME_BYTES // KIB
    body_kib: int = BODY_BYTES // KIB
    message_characters: int = MESSAGE_CHARACTERS
    subject_characters: int = SUBJECT_CHARACTERS
    name_characters: int = NAME_CHARACTERS
    register_seconds: int = REGISTER_SECONDS
    answer_seconds: int = round(ANSWER_SECONDS)
    beat_seconds: int = events.BEAT_SECONDS
    silence_seconds: int = SILENCE_SECONDS
    typing_seconds: int = events.TYPING_SECONDS
    grace_seconds: int = round(GRACE_SECONDS)
    preflight_seconds: int = PREFLIGHT_SECONDS
    catch_up: int = CATCH_UP_MOST
    conversations: int = CONVERSATIONS_SHOWN
    page_most: int = events.PAGE_MOST
    guest_days: int = GUEST_SECONDS // DAY_SECONDS
    token_days: int = LONGEST_SECONDS // DAY_SECONDS
    identity_minutes: int = IDENTITY_SECONDS // MINUTE_SECONDS
    ahead_seconds: int = AHEAD_SECONDS


CODES: Final[dict[ErrorCode, str]] = {
    "bad_request": "Not understood at all: not JSON, not an object, an event that is none, a token"
    " in an address. Over HTTP also, with status 405, a method that an address does not have.",
    "invalid": "A field is missing or wrong; `field` names it.",
    "unauthorized": "No valid token: none, a wrong one, one whose time is over, a revoked one. It"
    f" never says which. An open socket is closed with {SESSION_ENDED} instead.",
    "not_registered": "An event came before `register_user`. Only on the socket.",
    "forbidden": "It is known who asks, and they may not: in another's name, from buyer to buyer,"
    " from a page of a foreign origin; on the socket also in a conversation that is not theirs or"
    " does not exist.",
    "not_found": "It does not exist or, over HTTP, is not theirs: one answer for both.",
    "conflict": "This `client_id` was used before with another text or another recipient.",
    "too_large": f"A body over {BODY_BYTES // KIB} KiB. A frame as large closes the socket with"
    f" {TOO_LARGE} instead.",
    "unsupported_media_type": "A body that does not say that it is `application/json`. Only over"
    " HTTP.",
    "rate_limited": "Too much, too fast. `retry_after` says in how many seconds to come back; over"
    " HTTP so does the header `Retry-After`.",
    "unavailable": "The database does not answer. Nothing was stored, or the outcome is unknown:"
    " try again with the same `client_id`, which is always safe.",
    "internal": "A fault of the server's own; its log has the details.",
}

CLOSES: Final = {
    TOO_LARGE: f"A frame was over {FRAME_BYTES // KIB} KiB. Reconnect, and do not send it again.",
    RESTARTING: "The server restarts; all that it accepted is stored and acknowledged. Reconnect"
    " after a random pause.",
    TOO_SLOW: f"The client reads too slowly: over {OUTBOX_BYTES // KIB:,} KiB waited for it."
    " Reconnect, and ask with `since` for what was missed.",
    SESSION_ENDED: "The token's time is over, or it was revoked. Get another one first.",
    NOT_REGISTERED: f"No `register_user` came within {REGISTER_SECONDS} s.",
    FLOODING: f"Events went on too fast after {WARNINGS} warnings, each a `rate_limited`. Reconnect"
    " after a minute.",
}

# What is counted, and what comes of more than the rule allows, if that is not ``rate_limited``.
PACES: Final = {
    "messages:Buyer": ("Messages of one buyer", ""),
    "messages:Seller": ("Messages of one seller", ""),
    "typing": ("Typing of one participant", "More is acknowledged and dropped."),
    "events": (
        "Other events of one socket",
        f"After {WARNINGS} warnings the next one too many closes the socket with {FLOODING}.",
    ),
    "http:participant": ("HTTP requests of one participant", ""),
    "http:address": ("HTTP requests from one address", "Those without a token."),
    "guests": ("New guests from one address", ""),
    "logins:account": ("Failed logins to one account", ""),
    "logins:address": ("Failed logins from one address", ""),
}

# Of what, how much, and what comes of more.
SIZES: Final = (
    ("A frame", f"{FRAME_BYTES // KIB} KiB", f"More closes the socket with {TOO_LARGE}."),
    ("A body over HTTP", f"{BODY_BYTES // KIB} KiB", "More is `too_large`."),
    ("A message", f"{MESSAGE_CHARACTERS:,} characters", "More is `invalid`."),
    ("A subject", f"{SUBJECT_CHARACTERS} characters", "More is `invalid`."),
    ("A page of a list", f"{events.PAGE_MOST} entries", "More is `invalid`."),
    (
        "What waits for a slow reader",
        f"{OUTBOX_BYTES // KIB:,} KiB",
        f"More closes the socket with {TOO_SLOW}.",
    ),
    ("Sockets of one buyer", str(SOCKETS["Buyer"]), "One more is refused with 429."),
    (
        "Sockets of one seller",
        str(SOCKETS["Seller"]),
        "Several people may sit at one account. One more is refused with 429.",
    ),
    ("Sockets in all", f"{SOCKETS_IN_ALL:,}", "One more is refused with 429."),
)

_NAME = f"What they are called, up to {NAME_CHARACTERS} characters; else the id."
_TOKEN_DAYS = LONGEST_SECONDS // DAY_SECONDS
_IDENTITY_MINUTES = IDENTITY_SECONDS // MINUTE_SECONDS
_IAT = f"When it was made. It may be {AHEAD_SECONDS} s ahead of the server's clock."
_NBF = "From when on it is good."

# Claims of the two kinds of JWT: whether they are needed, and what they say.
TOKEN_CLAIMS: Final = {
    "sub": ("required", "The participant's id."),
    "type": ("required", "`Buyer` or `Seller`."),
    "exp": ("required", f"When it ends: {_TOKEN_DAYS} days after `iat` at most, without leeway."),
    "iat": ("optional", _IAT),
    "nbf": ("optional", _NBF),
    "name": ("optional", _NAME),
    "jti": ("optional", "Names it, so that it can be revoked by itself."),
}
IDENTITY_CLAIMS: Final = {
    "sub": ("required", f"The shop's own id of the buyer; none that begins with `{GUEST_PREFIX}`."),
    "exp": ("required", f"When it ends: {_IDENTITY_MINUTES} minutes after `iat` at most."),
    "iat": ("optional", _IAT),
    "nbf": ("optional", _NBF),
    "name": ("optional", _NAME),
    "email": ("optional", "Their mail address."),
    "type": ("optional", "`Buyer`, and nothing else."),
}


def pace(name: str) -> str:
    """A rule in words: ``10 at once, then 1 a second`` or ``120 a minute``."""
    rule: Rule = RULES[name]
    window = round(rule.at_once * rule.seconds)
    if window % MINUTE_SECONDS:
        rate = f"{1 / rule.seconds:g} a second"
        return rate if rule.at_once == 1 else f"{rule.at_once} at once, then {rate}"
    minutes = window // MINUTE_SECONDS
    spans = {1: "a minute", 60: "an hour"}
    return f"{rule.at_once} {spans.get(minutes, f'in {minutes} minutes')}"
