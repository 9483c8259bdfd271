"""The text of ``/widget.js``: the loader's scripts, joined, and what the server writes into them.

That are the bell's styles, its words in every language, and the looks of the sellers who chose one.
It is asked for by every page of every shop, so what goes without saying is not said: 4 KiB, of
which each seller with colours of their own takes some 60 bytes.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

from handlers.bundles import JAVASCRIPT, SCRIPTS, SHEETS, minified_script, minified_style
from handlers.compression import Packed
from handlers.languages import LANGUAGES, Language, spoken
from handlers.modules import joined
from models import codec
from models.accent import DEFAULT_ACCENT, Shades, palette
from models.preferences import AUTO, Preferences

# Where static/js/loader.js takes it.
PLACE: Final = '"filled in by the server"'

# FNV-1a with 32 bits, which static/js/loader.js counts, too.
_OFFSET: Final = 2166136261
_PRIME: Final = 16777619

# A number up to here has shown every plural form that a language has for one.
_COUNTED: Final = 101


def launcher(chosen: Mapping[str, Preferences]) -> Packed:
    """The loader for sellers who prefer something, by their ids."""
    return _packed(tuple(sorted(chosen.items())))


@lru_cache(maxsize=2)  # a change makes another; who asks in between may still see the one before
def _packed(chosen: tuple[tuple[str, Preferences], ...]) -> Packed:
    filled = {
        "styles": _styles(),
        "looks": {number(seller): look for seller, wish in chosen if (look := _look(wish))},
        "words": {code: _words(spoken(code)) for code in LANGUAGES},
    }
    text = _script().replace(PLACE, codec.encode(filled).decode())
    return Packed.of(text, JAVASCRIPT)


def number(seller_id: str) -> int:
    """Under which a look stands in the loader: it would be a list of all sellers otherwise, for
    everybody, and their ids are what they log in with. Where two share a number, which is one case
    in four thousand millions, one shop has the other's colours."""
    found = _OFFSET
    for letter in seller_id.encode():
        found = (found ^ letter) * _PRIME % 2**32
    return found


@cache
def _script() -> str:
    modules = joined(SCRIPTS / "loader.js")
    return minified_script(
        f"(() => {{\n{modules}}})();"
    )  # a page has other scripts: no name of ours


@cache
def _styles() -> str:
    return minified_style((SHEETS / "launcher.css").read_text(encoding="utf-8"))


def _words(language: Language) -> dict[str, Any]:
    """The patterns of the words; the browser counts."""
    gettext, ngettext = language.translations.gettext, language.translations.ngettext
    forms = {
        language.locale.plural_form(number): ngettext(
            "Open the chat, %(num)s unread", "Open the chat, %(num)s unread", number
        )
        for number in range(1, _COUNTED)
    }
    return {
        "title": gettext("Chat"),
        "open": gettext("Open the chat"),
        "unread": {
            form: text for form, text in forms.items() if form == "other" or text != forms["other"]
        },
    }


def _look(wish: Preferences) -> dict[str, str]:
    """What differs from the usual look."""
    look = {
        "styles": "" if wish.accent == DEFAULT_ACCENT else _colours(wish.accent),
        "corner": "start" if wish.corner == "start" else "",
        "language": "" if wish.language == AUTO else wish.language,
    }
    return {name: value for name, value in look.items() if value}


def _colours(accent: str) -> str:
    """What a colour changes in ``static/css/launcher.css``."""
    usual, shades = palette(DEFAULT_ACCENT), palette(accent)
    in_light = _changes(_tokens(shades.light), _tokens(usual.light))
    in_dark = _changes(_tokens(shades.dark), {**_tokens(usual.dark), **in_light})
    dark = f"@media (prefers-color-scheme:dark){{:host{{{_declarations(in_dark)}}}}}"
    return f":host{{{_declarations(in_light)}}}{dark}"


def _tokens(shades: Shades) -> dict[str, str]:
    line = shades.line or "#0000"
    return {"--fill": shades.fill, "--text": shades.text, "--ink": shades.ink, "--line": line}


def _changes(tokens: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    return {name: colour for name, colour in tokens.items() if colour != before[name]}


def _declarations(tokens: dict[str, str]) -> str:
    return ";".join(f"{name}:{colour}" for name, colour in tokens.items())
