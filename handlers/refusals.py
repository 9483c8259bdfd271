"""What a page says where something was refused: by the error's code and field, in its language.

The sentences of the errors themselves are the API's; they stay in English.
"""

import math
from typing import Final

from handlers.languages import Language
from models.errors import ChatError
from models.text import GREETING_CHARACTERS, MESSAGE_CHARACTERS, SUBJECT_CHARACTERS

MINUTES_FROM: Final = 90  # seconds; a shorter time is told in seconds


def title(error: ChatError, language: Language) -> str:
    """The title of an error's own page."""
    _ = language.gettext
    titles = {
        "unauthorized": _("Please log in"),
        "forbidden": _("This is not allowed"),
        "not_found": _("There is nothing here"),
        "rate_limited": _("A little slower, please"),
        "unavailable": _("The chat is resting for a moment"),
        "internal": _("Something went wrong"),
    }
    return titles.get(error.code, _("This was not understood"))


def reason(error: ChatError, language: Language) -> str:
    """Why something was refused, and what can be done."""
    _ = language.gettext
    if error.code == "rate_limited":
        return _later(error.retry_after or 1, language)
    by_field = {
        ("invalid", "message"): _(
            "A message needs some text, and has at most %(limit)s characters.",
            limit=language.number(MESSAGE_CHARACTERS),
        ),
        ("invalid", "subject"): _(
            "A subject has at most %(limit)s characters.", limit=language.number(SUBJECT_CHARACTERS)
        ),
        ("invalid", "accent"): _("A colour is written like %(colour)s.", colour="#0E6470"),
        ("invalid", "greeting"): _(
            "A greeting has at most %(limit)s characters.",
            limit=language.number(GREETING_CHARACTERS),
        ),
        ("invalid", "logo"): _(
            "This cannot be used as a logo. Choose a picture that is a PNG, JPEG or WebP file."
        ),
        ("too_large", "logo"): _("This picture is too large to be sent."),
    }
    by_code = {
        "invalid": _("This cannot be taken as it is."),
        "unauthorized": _("Only who is logged in can see this."),
        "forbidden": _("This has to come from a page of the shop’s chat."),
        "not_found": _("It does not exist, or it is not yours."),
        "conflict": _("This was sent before with another text."),
        "too_large": _("This is too large to be sent."),
        "unavailable": _("The shop’s chat does not answer. Please try again in a moment."),
        "internal": _("Something went wrong on our side. Please try again later."),
    }
    at_last = by_code.get(error.code, _("The request is not one that this page can answer."))
    return by_field.get((error.code, error.field or ""), at_last)


def _later(seconds: float, language: Language) -> str:
    if seconds <= MINUTES_FROM:
        return language.ngettext(
            "That was too fast. Please try again in %(num)s second.",
            "That was too fast. Please try again in %(num)s seconds.",
            math.ceil(seconds),
        )
    return language.ngettext(
        "That was too fast. Please try again in %(num)s minute.",
        "That was too fast. Please try again in %(num)s minutes.",
        math.ceil(seconds / 60),
    )
