"""How a page wears a shop's look: the sheet of its colours, and its logo.

The addresses bear a version, so that browsers keep what is behind them; the doors are in
``preferences.py``. How the shades are made is decided in ``models/accent.py``.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

from handlers.views import Person
from models.accent import DEFAULT_ACCENT, Shades, palette
from models.preferences import Preferences


@lru_cache
def sheet(accent: str) -> str:
    """The tokens of ``static/css/tokens.css`` that a colour replaces, in both schemes."""
    shades = palette(accent)
    light, dark = declarations(shades.light), declarations(shades.dark)
    return (
        f"@layer tokens{{:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}}}\n"
    )


def declarations(shades: Shades) -> str:
    """The same for one scheme."""
    tokens = {
        "accent": shades.fill,
        "accent-text": shades.text,
        "accent-meta": shades.meta,
        "accent-ink": shades.ink,
        "accent-press": shades.press,
        "accent-line": shades.line or "transparent",
        "tint": shades.tint,
    }
    return ";".join(f"--raw-{name}:{colour}" for name, colour in tokens.items())


@lru_cache
def sheet_version(accent: str) -> str:
    """Names the sheet's content; a server that makes other shades gives it another name."""
    return hashlib.sha256(sheet(accent).encode()).hexdigest()[:12]


def sheet_address(seller_id: str, chosen: Preferences) -> str:
    """Empty where the colours are those that every page has anyway."""
    if chosen.accent == DEFAULT_ACCENT:
        return ""
    return f"/look/{quote(seller_id)}.css?v={sheet_version(chosen.accent)}"


def logo_address(seller_id: str, chosen: Preferences) -> str:
    """Empty where there is none."""
    return f"/look/{quote(seller_id)}/logo?v={chosen.logo}" if chosen.logo else ""


def dressed(seller: Person, chosen: Preferences) -> Person:
    """A shop with its logo, if it has one."""
    return replace(seller, logo=logo_address(seller.id, chosen))
