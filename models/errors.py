"""What can go wrong, in the contract's own codes.

Every refusal that the outside sees is a ``ChatError``. Which HTTP status or frame a code becomes is
the doors' business (``handlers/base.py``, ``handlers/socket.py``).
"""

from typing import ClassVar


class ChatError(Exception):
    """A refusal with a stable ``code`` and one sentence for people.

    ``field`` names the part of the input that is wrong, ``retry_after`` is in seconds.
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self, message: str, *, field: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after = retry_after


class BadRequest(ChatError):
    """The input cannot be understood at all: not JSON, not an object, an unknown event."""

    code = "bad_request"


class Invalid(ChatError):
    """One field of an understood input is wrong; ``field`` names it."""

    code = "invalid"


class NotRegistered(ChatError):
    """An event arrived before ``register_user``."""

    code = "not_registered"


class Unauthorized(ChatError):
    """Nobody known is asking. Never says why (CONTRACT section 2)."""

    code = "unauthorized"

    def __init__(self, message: str = "A valid token is needed.") -> None:
        super().__init__(message)


class Forbidden(ChatError):
    """The asking participant is known, and may not do this."""

    code = "forbidden"


class NotFound(ChatError):
    """It does not exist, or is not theirs: the answer is the same for both."""

    code = "not_found"


class NotYours(Forbidden):
    """Not one's own, or not there at all: the answer must be the same for both.

    On the socket that is ``forbidden``; over HTTP the doors make it ``not_found`` (CONTRACT
    sections 4 and 5).
    """

    def __init__(self, message: str = "This is not yours, or does not exist.") -> None:
        super().__init__(message)


class Conflict(ChatError):
    """A ``client_id`` was used before for another message."""

    code = "conflict"


class RateLimited(ChatError):
    """Too much, too fast; ``retry_after`` says when to come back."""

    code = "rate_limited"


class TooLarge(ChatError):
    """A body is over the limit."""

    code = "too_large"


class UnsupportedMediaType(ChatError):
    """A body does not say that it is JSON."""

    code = "unsupported_media_type"


class Unavailable(ChatError):
    """The database does not answer: nothing was stored, or the outcome is unknown.

    Trying again with the same ``client_id`` is always safe.
    """

    code = "unavailable"

    def __init__(
        self,
        message: str = "The database does not answer. Please try again.",
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)


class Internal(ChatError):
    """A fault of ours; the log has the details."""

    code = "internal"

    def __init__(self, message: str = "Something went wrong on our side.") -> None:
        super().__init__(message)
