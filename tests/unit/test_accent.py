import re
from pathlib import Path

import pytest
from coloraide import Color
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.accent import (
    DARK,
    DEFAULT_ACCENT,
    INK,
    LIGHT,
    WHITE,
    checked_accent,
    contrast,
    palette,
)
from models.errors import Invalid

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
SCHEMES = [("light", LIGHT), ("dark", DARK)]

# LOOK, section 4: what is given; fill, text and ink in light and in dark; who wears a line.
TABLE = [
    ("#0E6470", "#0E6470", WHITE, "#0E6470", "#1E6E7A", WHITE, "#64AEBB", False),
    ("#F2C230", "#F2C230", INK, "#846705", "#F2C230", INK, "#F2C230", True),
    ("#E58FA6", "#E58FA6", INK, "#A15269", "#E58FA6", INK, "#E58FA6", True),
    ("#C2410C", "#BB3A00", WHITE, "#C03F08", "#BB3A00", WHITE, "#FD7F57", False),
    ("#1B1B1F", "#1B1B1F", WHITE, "#1B1B1F", "#646469", WHITE, "#A3A4A9", False),
]

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def look_alike(one, other):
    """Whether no eye tells two colours apart."""
    return Color(one).delta_e(Color(other), method="2000") < 1


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_the_shades_are_those_of_the_design(row):
    given_, fill, text, ink, dark_fill, dark_text, dark_ink, wears_line = row
    light, dark = palette(given_).light, palette(given_).dark
    assert (light.text, dark.text) == (text, dark_text)
    for made, designed in (
        (light.fill, fill),
        (light.ink, ink),
        (dark.fill, dark_fill),
        (dark.ink, dark_ink),
    ):
        assert look_alike(made, designed), (made, designed)
    assert light.line == (light.ink if wears_line else None)
    assert dark.line is None


def test_a_colour_that_can_be_read_stays_as_it_was_given():
    assert palette("#0E6470").light.fill == palette("#0e6470").light.ink == "#0e6470"
    assert palette("#f2c230").dark.fill == palette("#f2c230").dark.ink == "#f2c230"


def test_the_default_is_what_the_style_sheet_says_anyway():
    light, dark = TOKENS.read_text().split("@media (prefers-color-scheme: dark)")
    for sheet, shades in (
        (light, palette(DEFAULT_ACCENT).light),
        (dark, palette(DEFAULT_ACCENT).dark),
    ):
        for token, made in (
            ("--raw-accent", shades.fill),
            ("--raw-accent-meta", shades.meta),
            ("--raw-accent-ink", shades.ink),
            ("--raw-tint", shades.tint),
        ):
            written = re.search(rf"{token}: (#\w+);", sheet)[1]
            assert look_alike(made, written), (token, made, written)


@settings(max_examples=120)
@given(colours)
@example("#000000")
@example("#ffffff")
@example("#777777")
@example("#ff0000")
@example("#00ff00")
@example("#0000ff")
@example("#ffff00")
@example("#c2410c")
@example("#c8209b")  # its ink is just too pale on the tint
def test_any_colour_can_be_read_in_both_schemes(accent):
    for name, scheme in SCHEMES:
        shades = getattr(palette(accent), name)
        assert contrast(shades.text, shades.fill) >= 5.4
        assert contrast(shades.meta, shades.fill) >= 4.5
        assert contrast(shades.text, shades.press) >= 4.5
        for ground in (scheme.surface, scheme.theirs, shades.tint):
            assert contrast(shades.ink, ground) >= 4.5, (name, ground)
        form = shades.line or shades.fill
        assert contrast(form, scheme.surface) >= 3
        assert contrast(scheme.hint, shades.tint) >= 4.5, "times and previews in the list"


@given(colours)
def test_greys_stay_grey_and_hues_stay(accent):
    given_ = Color(accent).convert("oklch")
    for shades in (palette(accent).light, palette(accent).dark):
        for made in (shades.fill, shades.ink):
            moved = Color(made).convert("oklch")
            assert moved["chroma"] <= given_["chroma"] + 0.01
            if moved["chroma"] > 0.04:
                turned = abs(moved["hue"] - given_["hue"])
                assert min(turned, 360 - turned) < 8


@pytest.mark.parametrize(
    ("typed", "colour"),
    [("#0E6470", "#0e6470"), ("0e6470", "#0e6470"), (" #Fa0 ", "#ffaa00"), ("abc", "#aabbcc")],
)
def test_a_colour_is_understood_however_it_is_written(typed, colour):
    assert checked_accent(typed) == colour


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "#",
        "red",
        "#12345",
        "#1234567",
        "#12345g",
        "rgb(1,2,3)",
        "#٠٠٠",
        "#000;}*{",
        "#000\n#fff",
    ],
)
def test_what_is_no_colour_is_refused_at_its_field(typed):
    for refuse in (checked_accent, palette):
        with pytest.raises(Invalid) as refused:
            refuse(typed)
        assert refused.value.field == "accent"
