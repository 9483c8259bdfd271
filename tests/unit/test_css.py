"""What holds for all style sheets: colours by their meaning, logical sides, contrast."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.contrast import contrast

ROOT = Path(__file__).parents[2]
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text()
# The demo shop is somebody else's page, and the bell hangs on such: there are no tokens there.
ELSEWHERE = {"demo.css", "launcher.css"}
SAMPLE = ROOT / "static" / "css" / "sample.css"
OURS = [sheet for sheet in SHEETS if sheet.name not in {"tokens.css", *ELSEWHERE}]

COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color)\(|"
    r":[^;{}]*\b(?:white|black|red|green|blue|gr[ae]y|orange|yellow|brown)\b",
    re.IGNORECASE,
)
PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|inset|scroll-margin|scroll-padding)-)?"
    r"(?:left|right|top|bottom)(?:-(?:width|style|color|(?:left|right)-radius))?\s*:"
    r"|(?:text-align|float|clear|caption-side)\s*:\s*(?:left|right)"
    r"|(?<![\w-])(?:min-|max-)?(?:width|height)\s*:\s",
)


def declarations(sheet: Path) -> Iterator[tuple[int, str]]:
    """The lines of a sheet, numbered, without comments and without the conditions of queries."""
    text = re.sub(
        r"/\*.*?\*/",
        lambda comment: "\n" * comment[0].count("\n"),
        sheet.read_text(),
        flags=re.DOTALL,
    )
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.lstrip().startswith(("@media", "@container", "@supports")):
            yield number, line


@pytest.mark.parametrize(
    "sheet", [sheet for sheet in OURS if sheet != SAMPLE], ids=lambda sheet: sheet.name
)
def test_colours_stand_in_the_tokens_only(sheet):
    assert [line for line in declarations(sheet) if COLOUR.search(line[1])] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_no_side_is_named_left_or_right(sheet):
    assert [line for line in declarations(sheet) if PHYSICAL.search(line[1])] == []


@pytest.mark.parametrize(
    "line", ["margin-left: 1px", "  right: 0;", "text-align: left", "width: 3px", "border-top: 0"]
)
def test_a_physical_side_would_be_found(line):
    assert PHYSICAL.search(line)


@pytest.mark.parametrize("line", ["color: #fff", "color: white", "fill: rgb(1 2 3)"])
def test_a_colour_would_be_found(line):
    assert COLOUR.search(line)


def test_the_dark_palette_is_one_media_query():
    assert TOKENS.count("prefers-color-scheme") == 1
    for sheet in OURS:
        assert "prefers-color-scheme" not in sheet.read_text(), sheet.name
    assert "color-scheme: light dark;" in TOKENS


# --- Contrast -------------------------------------------------------------------------------------

SURFACES = ("surface", "sunken", "bg", "hover", "theirs", "tint")

# What is drawn, and what it is drawn on.
TEXTS = [
    *product(("ink", "ink-2", "ink-3", "accent-ink"), SURFACES),
    *product(("accent-text",), ("accent", "accent-press")),
    ("accent-meta", "accent"),
    ("brass-text", "brass"),
    *product(("brass-ink",), ("brass-tint", "surface", "sunken", "tint")),
    *product(("danger",), ("danger-bg", "surface", "sunken")),
    *((f"tone-{tone}-ink", f"tone-{tone}") for tone in range(7)),
]
SHAPES = [
    *product(("edge",), ("surface", "sunken", "bg")),
    *product(("online", "away"), ("surface", "sunken", "tint", "bg")),
    *product(("offline",), ("surface", "sunken", "bg")),
    ("accent", "surface"),
    ("danger", "surface"),
]


def palette(scheme: str) -> dict[str, str]:
    """The raw values of a scheme: the dark one redefines what differs."""
    light, dark = TOKENS.split("@media (prefers-color-scheme: dark)")
    text = light if scheme == "light" else light + dark
    return raw_values(text)


def raw_values(text: str) -> dict[str, str]:
    return dict(re.findall(r"--raw-([a-z0-9-]+): (#[0-9a-f]{3,6});", text))


def test_contrast_is_measured_as_wcag_does():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_shapes_stand_out(scheme):
    colours = palette(scheme)
    pale = [
        f"{drawn} on {ground}: {ratio:.2f}"
        for pairs, least in ((TEXTS, 4.5), (SHAPES, 3.0))
        for drawn, ground in pairs
        if (ratio := contrast(colours[drawn], colours[ground])) < least
    ]
    assert pale == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_drawing_in_the_settings_repeats_the_tokens(scheme):
    """It shows both schemes beside each other, whichever the page is in."""
    _, drawn = SAMPLE.read_text().split(f'[data-scheme="{scheme}"]', maxsplit=1)
    values = raw_values(drawn.split("}", maxsplit=1)[0])
    assert values
    assert values.items() <= palette(scheme).items()


# --- Templates ------------------------------------------------------------------------------------

# What people write or are called, as templates name it.
WORDS_OF_PEOPLE = re.compile(
    r"{{ (?:\w+\.)*(?:(?:peer|seller|self|visitor|me|message)\.name"
    r"|subject|preview|draft|message_html|greeting|sender_name)\b[^}]*}}"
)


def test_words_of_people_find_their_own_direction():
    """Each stands in a ``<bdi>`` or in an element with ``dir="auto"``."""
    bare = []
    for template in sorted((ROOT / "templates").glob("*.html")):
        text = template.read_text()
        for found in WORDS_OF_PEOPLE.finditer(text):
            before = text[: found.start()]
            inside_tag = before.rfind("<") > before.rfind(">")
            [*_, line] = before.splitlines()
            if not (inside_tag or re.search('<bdi|dir="auto"|{% block (?:title|body_data)', line)):
                bare.append(f"{template.name}: {line.strip()}{found[0]}")
    assert bare == []
