"""What a seller chose for their shop's chat, and what may be chosen. Kept by ``looks.py``."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from models.accent import DEFAULT_ACCENT, checked_accent
from models.errors import Invalid
from models.text import clean_greeting

AUTO: Final = "auto"  # the language of the page around, or of the browser
LANGUAGES: Final = (AUTO, "en", "de", "es", "ar")
CORNERS: Final = ("end", "start")  # of the line, below: on Arabic pages the end is on the left


@dataclass(frozen=True, slots=True)
class Preferences:
    """One seller's choices, each at first what nobody had to choose.

    ``logo`` is the version of the picture, empty where there is none. ``language`` is that of the
    buyers' pages, ``panel_language`` of the seller's own.
    """

    accent: str = DEFAULT_ACCENT
    greeting: str = ""
    corner: str = CORNERS[0]
    logo: str = ""
    language: str = AUTO
    panel_language: str = AUTO

    def changed(self, name: str, typed: str) -> "Preferences":
        """The same but for one choice, as somebody typed it. Raises ``Invalid``."""
        return replace(self, **{name: CHECKS[name](typed)})

    def with_default_look(self) -> "Preferences":
        """Languages stay: they are no look."""
        return Preferences(language=self.language, panel_language=self.panel_language)


def _one_of(choices: tuple[str, ...], name: str) -> Callable[[str], str]:
    def check(typed: str) -> str:
        if typed not in choices:
            raise Invalid("This cannot be chosen.", field=name)
        return typed

    return check


# How what was typed becomes a choice. A logo is no text; ``picture.py`` looks at it.
CHECKS: Final[dict[str, Callable[[str], str]]] = {
    "accent": checked_accent,
    "greeting": clean_greeting,
    "corner": _one_of(CORNERS, "corner"),
    "language": _one_of(LANGUAGES, "language"),
    "panel_language": _one_of(LANGUAGES, "panel_language"),
}
