"""A shop's one colour, and the shades that are made of it, so that words on it can always be read.

Lightness is moved in OKLCH, hue and chroma are kept; chroma falls only where sRGB ends. The only
module that knows coloraide. The greys around stand in ``static/css/tokens.css``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from coloraide import Color

from models.errors import Invalid

DEFAULT_ACCENT: Final = "#0e6470"

# Contrasts as WCAG counts them. Text on the fill gets more than it needs, as its time and ticks are
# paler than the text.
TEXT_CONTRAST: Final = 5.4
READ_CONTRAST: Final = 4.5
FORM_CONTRAST: Final = 3.0
META_SHARE: Final = 0.86  # of the text, over the fill

WHITE: Final = "#ffffff"
INK: Final = "#131a1b"

PRESS_STEP: Final = 0.07  # of lightness, under the pointer
TINT_STEP: Final = 0.01  # of its share
DARKEST_STEP: Final = 0.14  # nobody sees a step between darker ones
PALETTES_KEPT: Final = 4096  # 2 kB each
HALVINGS: Final = 11  # until the lightness is right to half a thousandth

End = Literal[0, 1]  # black, white

_HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scheme:
    """What surrounds the accent, and how its ink and its tint are made for it.

    The tint is a share of the fill in light and of the ink in dark, over the surface.
    """

    surface: str
    theirs: str
    hint: str
    ink_contrast: float
    tint_share: float


LIGHT: Final = Scheme("#ffffff", "#edf1f1", "#5c696b", 5.3, 0.10)
DARK: Final = Scheme("#14191a", "#232b2c", "#94a1a3", 7.0, 0.14)


@dataclass(frozen=True, slots=True)
class Shades:
    """The accent in one scheme, each as ``#rrggbb``.

    ``fill`` is for own bubbles and buttons, ``text`` and the paler ``meta`` stand on it, ``press``
    is the fill under the pointer. ``ink`` is for links and rings, ``tint`` for the selected row.
    ``line`` goes round a fill that would not stand out from the page by itself.
    """

    fill: str
    text: str
    meta: str
    ink: str
    tint: str
    line: str | None
    press: str


@dataclass(frozen=True, slots=True)
class Palette:
    """The accent in both schemes."""

    light: Shades
    dark: Shades


def checked_accent(text: str) -> str:
    """A colour as ``#rrggbb`` in small letters; three digits and a missing ``#`` are understood.

    Raises ``Invalid``.
    """
    match = _HEX.fullmatch(text.strip())
    if match is None:
        raise Invalid("A colour is written like #0E6470.", field="accent")
    digits = match[1].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


# It takes some 20 ms, and each page asks. The loader has the colours of all sellers: with fewer
# places than those, each change of one would make them all anew.
@lru_cache(maxsize=PALETTES_KEPT)
def palette(accent: str) -> Palette:
    """The shades of a colour. Raises ``Invalid``."""
    accent = checked_accent(accent)
    fill = _fill(accent)
    lifted = accent
    if not _stands_out(accent, DARK):
        lifted = _moved(accent, 1, lambda colour: _stands_out(colour, DARK))
    return Palette(_shades(accent, fill, LIGHT), _shades(accent, _fill(lifted), DARK))


# --- How each is made -----------------------------------------------------------------------------


def _fill(colour: str) -> str:
    """The colour itself where a text can be read on it, else the nearest on which one can."""
    if _text_on(colour):
        return colour
    ends: tuple[End, End] = (0, 1)
    both = [_moved(colour, end, lambda c: bool(_text_on(c))) for end in ends]
    return min(both, key=lambda c: abs(_lightness(c) - _lightness(colour)))


def _shades(accent: str, fill: str, scheme: Scheme) -> Shades:
    text = _text_on(fill)
    ink = accent
    if not _can_be_ink(accent, fill, scheme):
        end: End = 0 if scheme is LIGHT else 1
        ink = _moved(accent, end, lambda colour: _can_be_ink(colour, fill, scheme))
    return Shades(
        fill=fill,
        text=text,
        meta=_mixed(text, fill, META_SHARE),
        ink=ink,
        tint=_tint(fill, ink, scheme),
        line=None if _stands_out(fill, scheme) else ink,
        press=_pressed(fill, text, scheme),
    )


def _can_be_ink(ink: str, fill: str, scheme: Scheme) -> bool:
    return contrast(ink, scheme.surface) >= scheme.ink_contrast and all(
        contrast(ink, ground) >= READ_CONTRAST
        for ground in (scheme.theirs, _tint(fill, ink, scheme))
    )


def _tint(fill: str, ink: str, scheme: Scheme) -> str:
    """Fainter where it would drown the times and previews that stand on it."""
    colour = fill if scheme is LIGHT else ink
    share = scheme.tint_share
    while contrast(scheme.hint, tint := _mixed(colour, scheme.surface, share)) < READ_CONTRAST:
        share -= TINT_STEP
    return tint


def _text_on(fill: str) -> str:
    """White or ink, white first; empty where neither can be read, with the paler time beside it."""
    for text in (WHITE, INK):
        meta = _mixed(text, fill, META_SHARE)
        if contrast(text, fill) >= TEXT_CONTRAST and contrast(meta, fill) >= READ_CONTRAST:
            return text
    return ""


def _stands_out(fill: str, scheme: Scheme) -> bool:
    return contrast(fill, scheme.surface) >= FORM_CONTRAST


def _pressed(fill: str, text: str, scheme: Scheme) -> str:
    """A step from the surface, or the other way where the text could not be read any more."""
    lightness = _lightness(fill)
    away = -PRESS_STEP if scheme is LIGHT else PRESS_STEP
    if DARKEST_STEP <= lightness + away <= 1:
        pressed = _at(fill, lightness + away)
        if contrast(text, pressed) >= READ_CONTRAST:
            return pressed
    return _at(fill, max(lightness, DARKEST_STEP) - away)


# --- Colours --------------------------------------------------------------------------------------


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, from 1 to 21."""
    return Color(one).contrast(Color(other), method="wcag21")


def _mixed(colour: str, ground: str, share: float) -> str:
    """So much of a colour over a ground, as a browser lays one over the other."""
    return _hex(Color(ground).mix(Color(colour), share, space="srgb"))


def _lightness(colour: str) -> float:
    return float(Color(colour).convert("oklch")["lightness"])


def _at(colour: str, lightness: float) -> str:
    moved = Color(colour).convert("oklch").set("lightness", lightness)
    return _hex(moved.convert("srgb").fit(method="raytrace", pspace="oklch"))


def _moved(colour: str, end: End, holds: Callable[[str], bool]) -> str:
    """The nearest colour on the way to black (0) or white (1) for which a claim holds.

    The claim must hold at the end, and must not cease to hold on the way there.
    """
    fails, good = _lightness(colour), float(end)
    found = _at(colour, good)
    for _ in range(HALVINGS):
        middle = (fails + good) / 2
        candidate = _at(colour, middle)
        if holds(candidate):
            good, found = middle, candidate
        else:
            fails = middle
    return found


def _hex(colour: Color) -> str:
    return str(colour.to_string(hex=True, fit="clip"))
