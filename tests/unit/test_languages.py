import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from handlers.languages import CATALOGUES, LANGUAGES, WORDS, choose, spoken
from handlers.templates import templates_in

ROOT = Path(__file__).parents[2]
TRANSLATED = [code for code in LANGUAGES if code != "en"]
PLACEHOLDER = re.compile(r"%(?:%|\(\w+\)[sd])")
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """What stands in the sources, as the command of README.md extracts it."""
    path = tmp_path_factory.mktemp("languages") / "messages.pot"
    command = ["-m", "babel.messages.frontend", "-q", "extract", "-F", "pyproject.toml", "-o", path]
    subprocess.run([sys.executable, *command, "."], cwd=ROOT, check=True)
    with path.open("rb") as file:
        return read_po(file)


@pytest.fixture(params=TRANSLATED)
def catalogue(request) -> Catalog:
    with (CATALOGUES / f"{request.param}.po").open("rb") as file:
        return read_po(file, locale=request.param)


def messages_of(catalogue):
    return [message for message in catalogue if message.id]


def forms_of(text):
    return [text] if isinstance(text, str) else list(text)


# --- The catalogues -------------------------------------------------------------------------------


def test_a_catalogue_says_what_the_sources_say_and_no_more(sources, catalogue):
    wanted, found = ({message.id for message in messages_of(all_)} for all_ in (sources, catalogue))
    assert wanted
    assert wanted - found == set(), "run the two commands of README.md, and translate"
    assert found - wanted == set()
    assert not catalogue.obsolete


def test_everything_is_translated_in_every_plural_form(catalogue):
    for message in messages_of(catalogue):
        count = 1 if isinstance(message.id, str) else catalogue.num_plurals
        forms = forms_of(message.string)
        assert len(forms) == count, message.id
        assert all(form.strip() for form in forms), message.id
        assert not message.fuzzy, message.id
        assert not [*message.user_comments, *message.auto_comments], message.id


def test_placeholders_are_those_of_the_source(catalogue):
    """A form that stands for one number alone may leave the number out: "two new messages"."""
    for message in messages_of(catalogue):
        wanted = sorted(PLACEHOLDER.findall(forms_of(message.id)[-1]))
        without_number = [found for found in wanted if not found.startswith("%(num)")]
        forms = forms_of(message.string)
        for index, form in enumerate(forms):
            found = sorted(PLACEHOLDER.findall(form))
            is_exact = len(forms) == 6 and index < 3
            assert found == wanted or (is_exact and found == without_number), (message.id, form)
            assert "%" not in PLACEHOLDER.sub("", form), form


def test_a_translation_is_no_markup(catalogue):
    """Templates insert it as it is, into attributes too."""
    for message in messages_of(catalogue):
        for text in [*forms_of(message.id), *forms_of(message.string)]:
            assert not re.search(r"""[<>&"]""", text), text


def test_numbers_find_the_form_that_the_language_has_for_them(catalogue):
    """gettext's formula and CLDR's categories, by which scripts choose, agree."""
    language = spoken(str(catalogue.locale))
    one, many = "%(num)s new message", "%(num)s new messages"
    forms = language.script_words[one]
    for number in range(1000):
        category = Locale.parse(language.code).plural_form(number)
        assert forms[category] == language.translations.ngettext(one, many, number), number


def test_arabic_has_six_forms():
    arabic = spoken("ar")
    one, many = "%(num)s new message", "%(num)s new messages"
    said = {arabic.ngettext(one, many, number) for number in (0, 1, 2, 3, 11)}
    assert len(said) == 5
    assert set(arabic.script_words[one]) == {"zero", "one", "two", "few", "many", "other"}


# --- What scripts get -----------------------------------------------------------------------------


def test_scripts_get_their_own_words_and_no_others(sources):
    wanted = {
        forms_of(message.id)[0]
        for message in messages_of(sources)
        if WORDS in {path for path, _ in message.locations}
    }
    assert wanted
    for code in TRANSLATED:
        assert set(spoken(code).script_words) == wanted
    assert spoken("en").script_words == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_page_bears_its_language_its_direction_and_its_scripts_words(code):
    language = spoken(code)
    html = (
        templates_in(language)
        .from_string('{% extends "layout.html" %}')
        .render(public_url="", look="", static_url=lambda path: path)
    )
    assert f'<html lang="{code}" dir="{"rtl" if code == "ar" else "ltr"}"' in html
    block = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    words = json.loads(block[1]) if block else {}
    assert words == language.script_words


# --- Whose choice counts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "person", "accept", "code"),
    [
        ("de", "es", "ar", "de"),
        (None, "es", "ar", "es"),
        (None, "auto", "ar", "ar"),
        (None, None, None, "en"),
        ("fr", "xx", "fr, it;q=0.9", "en"),
        ("", "", "", "en"),
        ("../de", None, "es", "es"),
        ("DE", None, "es", "es"),
        (None, None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, None, "fr, es;q=0.7, ar;q=0.9", "ar"),
        (None, None, "es-MX;q=0.5, en;q=0.4", "es"),
        (None, None, "de;q=0, es;q=0.1", "es"),
        (None, None, "*, de;q=nothing, ;q=, ar-EG", "ar"),
        (None, None, "DE", "de"),
        (None, None, "FR-fr, De-at;q=0.9, es;q=0.8", "de"),
        (None, None, "deutsch, ../es, es.po, \u0130", "en"),
        (None, None, "fr, " * 5000 + "de", "en"),
    ],
)
def test_the_page_counts_then_the_person_then_the_browser(page, person, accept, code):
    language = choose(page, person, accept)
    assert language.code == code
    assert language.asked == (code if page == code else "")


def test_links_go_on_asking_for_what_the_pages_address_asked_for():
    asked, preferred = choose("de", None, None), choose(None, "de", None)
    assert asked.link("/inbox") == "/inbox?language=de"
    assert asked.link("/inbox", filter="unread") == "/inbox?filter=unread&language=de"
    assert preferred.link("/inbox", filter="unread") == "/inbox?filter=unread"
    assert preferred.link("/inbox", before=None, name="") == "/inbox"


# --- Numbers and times ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "shown"),
    {
        "en": ["12:00", "10 March 2026, 12:00 UTC", "12,345", "10 March"],
        "de": ["12:00", "10. März 2026, 12:00 UTC", "12.345", "10. März"],
        "es": ["12:00", "10 de marzo de 2026, 12:00 UTC", "12.345", "10 de marzo"],
        "ar": ["12:00 م", "10 مارس 2026، 12:00 م بالتوقيت العالمي", "12,345", "10 مارس"],
    }.items(),
)
def test_times_and_numbers_are_written_as_in_the_language(code, shown):
    language = spoken(code)
    found = [language.time(NOW), language.full(NOW), language.number(12345), language.date(NOW)]
    assert [text.replace("\u202f", " ").replace("\u00a0", " ") for text in found] == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    {
        "en": ["Today", "Yesterday", "Saturday 7 March", "Wednesday, 24 December 2025"],
        "de": ["Heute", "Gestern", "Samstag, 7. März", "Mittwoch, 24. Dezember 2025"],
        "es": ["Hoy", "Ayer", "sábado, 7 de marzo", "miércoles, 24 de diciembre de 2025"],
        "ar": ["اليوم", "أمس", "السبت، 7 مارس", "الأربعاء، 24 ديسمبر 2025"],
    }.items(),
)
def test_days_have_names(code, shown):
    days = [NOW.date() - timedelta(days=days) for days in (0, 1, 3, 76)]
    assert [spoken(code).day(day, NOW.date()) for day in days] == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    {
        "en": ["now", "5 mins", "09:00", "Yesterday", "Thu", "28 Feb"],
        "de": ["jetzt", "5 Min.", "09:00", "Gestern", "Do", "28. Feb."],
        "es": ["ahora", "5 min", "9:00", "Ayer", "jue", "28 feb"],
        "ar": ["الآن", "5 د", "9:00 ص", "أمس", "الخميس", "28 فبراير"],
    }.items(),
)
def test_in_a_list_a_time_is_as_short_as_its_age_allows(code, shown):
    """As ``static/js/clock.js`` has it, so that nothing jumps when the script comes."""
    ages = (-3, 300, 3 * 3600, 24 * 3600, 5 * 86400, 10 * 86400)
    found = [spoken(code).in_list(NOW - timedelta(seconds=age), NOW) for age in ages]
    assert [text.replace("\u00a0", " ").replace("\u202f", " ") for text in found] == shown
