"""The languages that pages speak: their words, their dates and numbers, and whose choice counts.

The words stand in ``templates/languages/*.po`` and are read from there; English is what the sources
say. Times are written in UTC; ``static/js/clock.js`` puts them into the reader's own zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache, partial
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlencode

from babel import Locale, dates, numbers, units
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUES: Final = Path(__file__).parent.parent / "templates" / "languages"
ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "de", "es", "ar")

# The script whose words a page hands over; all other scripts take theirs from there.
WORDS: Final = "static/js/words.js"

# Spoken by who says nothing more of their region: English with days before months and 24 hours.
_REGIONS: Final = {ENGLISH: "en_GB"}

TAGS_READ: Final = 50  # of what a browser accepts; a header has room for thousands

# A whole number up to here has shown every plural form that a language has for one.
_COUNTED: Final = 101


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One language as pages use it.

    ``is_asked`` tells that the page's own address asks for it: its links then go on asking.
    ``script_words`` are the words that differ from English: a text for a text, and for one that
    counts a text for each of CLDR's plural categories.
    """

    code: str
    is_asked: bool
    locale: Locale
    translations: NullTranslations
    script_words: Mapping[str, str | Mapping[str, str]]

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        return "rtl" if self.locale.text_direction == "rtl" else "ltr"

    def gettext(self, text: str, **values: object) -> str:
        """A sentence, with ``%(name)s`` filled in."""
        return self.translations.gettext(text) % values

    def ngettext(self, one: str, many: str, num: int, **values: object) -> str:
        """The same for a sentence that counts; ``%(num)s`` is how many."""
        values = {"num": self.number(num), **values}
        return self.translations.ngettext(one, many, num) % values

    @property
    def asked(self) -> str:
        """What the address of the page asks for."""
        return self.code if self.is_asked else ""

    def link(self, path: str, **query: object) -> str:
        """An address of ours that goes on asking for the language; what is empty is left out."""
        fields = urlencode(
            {name: value for name, value in (*query.items(), ("language", self.asked)) if value}
        )
        return f"{path}?{fields}" if fields else path

    # --- Numbers and times, as Intl writes them in the browser ------------------------------------

    def number(self, number: int) -> str:
        return numbers.format_decimal(number, locale=self.locale)

    def time(self, at: datetime) -> str:
        """ "10:14" """
        return dates.format_time(at, "short", locale=self.locale)

    def day(self, day: date, today: date) -> str:
        """ "Today", "Yesterday", "Thursday 5 November", with the year if it is another."""
        if day == today:
            return self.gettext("Today")
        if (today - day).days == 1:
            return self.gettext("Yesterday")
        if day.year != today.year:
            return dates.format_date(day, "full", locale=self.locale)
        pattern = self._pattern("MMMMEEEEd", "MMMMEd").replace("EEEE", "E").replace("E", "EEEE")
        return dates.format_date(day, pattern, locale=self.locale)

    def in_list(self, at: datetime, now: datetime) -> str:
        """As short as its age allows: "now", "5 min", the time, "Yesterday", "Thu", "5 Nov"."""
        minutes = int((now - at).total_seconds()) // 60
        days = (now.date() - at.date()).days
        if minutes < 1:
            return self.gettext("now")
        if minutes < 60:
            return units.format_unit(minutes, "duration-minute", "short", locale=self.locale)
        if days < 1:
            return self.time(at)
        if days == 1:
            return self.gettext("Yesterday")
        pattern = "ccc" if days < 7 else self._pattern("MMMd")
        return dates.format_date(at, pattern, locale=self.locale)

    def date(self, day: date) -> str:
        """ "5 November" """
        return dates.format_date(day, self._pattern("MMMMd"), locale=self.locale)

    def full(self, at: datetime) -> str:
        """ "5 November 2026, 10:14 UTC" """
        day = dates.format_date(at, "long", locale=self.locale)
        return self.gettext("%(date)s, %(time)s UTC", date=day, time=self.time(at.astimezone(UTC)))

    def _pattern(self, *skeletons: str) -> str:
        known = self.locale.datetime_skeletons
        return next(str(known[name].pattern) for name in skeletons if name in known)


def choose(page: str | None, person: str | None, accept: str | None) -> Language:
    """The language of a page: what its address asks for, else what the person prefers, else what
    the browser does (its ``Accept-Language``), else English."""
    if page in LANGUAGES:
        return spoken(page, is_asked=True)
    if person in LANGUAGES:
        return spoken(person)
    accepted = (code for code in _accepted(accept or "") if code in LANGUAGES)
    return spoken(next(accepted, ENGLISH))


def _accepted(header: str) -> list[str]:
    """The languages of an ``Accept-Language``, the best first (RFC 9110, section 12.5.4), without
    their regions: a tag is read in whatever case it is written."""
    weighed: list[tuple[float, str]] = []
    for part in header.split(",")[:TAGS_READ]:
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > 0:
            weighed.append((quality, tag.partition("-")[0].strip().lower()))
    return [code for _, code in sorted(weighed, key=lambda pair: -pair[0])]


@cache
def spoken(code: str, *, is_asked: bool = False) -> Language:
    """One of ``LANGUAGES``, read once."""
    if is_asked:
        return replace(spoken(code), is_asked=True)
    locale = Locale.parse(_REGIONS.get(code, code))
    if code == ENGLISH:
        return Language(code, False, locale, NullTranslations(), {})
    with (CATALOGUES / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    words = _script_words(catalogue, translations, locale)
    return Language(code, False, locale, translations, words)


def _script_words(
    catalogue: Catalog, translations: NullTranslations, locale: Locale
) -> dict[str, str | Mapping[str, str]]:
    words: dict[str, str | Mapping[str, str]] = {}
    for message in catalogue:
        if WORDS not in {path for path, _ in message.locations}:
            continue
        if isinstance(message.id, str):
            words[message.id] = translations.gettext(message.id)
        else:
            one, many = message.id
            form = partial(translations.ngettext, one, many)
            words[one] = {locale.plural_form(n): form(n) for n in range(_COUNTED)}
    return words
