"""What a text may be, and the one way from a text to HTML.

Texts are stored as typed and escaped on the way out. ``message_html`` is the only function that
makes HTML of them; the pages' Content-Security-Policy stands behind it.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import chain, groupby
from typing import Final
from unicodedata import category, combining, is_normalized, normalize

from bleach.linkifier import Linker

from models.errors import Invalid

MESSAGE_CHARACTERS: Final = 4000
SUBJECT_CHARACTERS: Final = 200
NAME_CHARACTERS: Final = 80
TITLE_CHARACTERS: Final = 200  # of a page or a product
GREETING_CHARACTERS: Final = 200

# Half a surrogate pair is no character: neither UTF-8 nor the database takes it.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Embeddings, overrides and isolates: a name with one could turn round the text after it.
_BIDI_CONTROLS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def clean_message(text: str) -> str:
    """A message as it is stored: NFC, without control characters, trimmed. Raises ``Invalid``."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned = _composed(_CONTROLS.sub("", lines)).strip()
    if _is_blank(cleaned):
        raise Invalid("A message needs some text.", field="message")
    if len(cleaned) > MESSAGE_CHARACTERS:
        reason = f"A message has at most {MESSAGE_CHARACTERS:,} characters."
        raise Invalid(reason, field="message")
    return cleaned


def clean_subject(text: str | None) -> str | None:
    """A subject on one line, or None where there is none. Raises ``Invalid``."""
    cleaned = _one_line(text or "")
    if _is_blank(cleaned):
        return None
    if len(cleaned) > SUBJECT_CHARACTERS:
        raise Invalid(f"A subject has at most {SUBJECT_CHARACTERS} characters.", field="subject")
    return cleaned


def clean_name(text: str) -> str:
    """A name on one line, cut to what a display takes. It may be empty."""
    cleaned = _one_line(_BIDI_CONTROLS.sub("", text))[:NAME_CHARACTERS].rstrip()
    return "" if _is_blank(cleaned) else cleaned


def clean_title(text: str) -> str:
    """The title of a page, on one line, cut to what a display takes. It may be empty."""
    return _one_line(_BIDI_CONTROLS.sub("", text))[:TITLE_CHARACTERS].rstrip()


def clean_greeting(text: str) -> str:
    """A shop's greeting, on one line. It may be empty. Raises ``Invalid``."""
    cleaned = _one_line(_BIDI_CONTROLS.sub("", text))
    if len(cleaned) > GREETING_CHARACTERS:
        reason = f"A greeting has at most {GREETING_CHARACTERS} characters."
        raise Invalid(reason, field="greeting")
    return "" if _is_blank(cleaned) else cleaned


def _one_line(text: str) -> str:
    return _composed(_CONTROLS.sub("", " ".join(text.split()))).strip()


def _is_blank(text: str) -> bool:
    """Whether nothing of it would be seen: white space and format characters at most."""
    return all(character.isspace() or category(character) == "Cf" for character in text)


def _composed(text: str) -> str:
    """The text in NFC, in linear time.

    Python's own ``normalize`` sorts a run of accents by insertion, which takes seconds for 30,000
    of them and blocks everybody. It is left nothing to sort: ``is_normalized`` gives up at the
    first disorder, and what it refuses is sorted here.
    """
    if is_normalized("NFC", text):
        return text
    decomposed = chain.from_iterable(normalize("NFD", character) for character in text)
    runs = groupby(decomposed, key=lambda character: combining(character) != 0)
    ordered: Iterable[Iterable[str]] = (
        sorted(run, key=combining) if accents else run for accents, run in runs
    )
    return normalize("NFC", "".join(chain.from_iterable(ordered)))


# --- HTML ---------------------------------------------------------------------------------------

LINK_REL: Final = "nofollow ugc noopener noreferrer"

# bleach's own patterns take up to 380 ms for 4,000 hostile characters, link "file.py" and miss
# "http://localhost". These demand "://" or "@", every part of them is bounded, and the long parts
# are possessive (never tried again shorter), so that time grows with the text only.
_URL = re.compile(
    r"""
    (?<![A-Za-z0-9])https?://
    (?:(?P<host>[A-Za-z0-9\x80-\U0010ffff][\w.\-\x80-\U0010ffff]{0,252}+)|\[[0-9a-f:.]{2,45}\])
    (?::[0-9]{1,5}+)?+
    (?![^\s/?\#]{0,250}@|:/)                 # no "http://shop.example@elsewhere", no "http://http://"
    (?:[/?\#][^\s\x00-\x1f\x7f"<>\\^`{|}]{0,2000}+)?+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_EMAIL = re.compile(
    r"""
    (?<![\w.%+@-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}+
    @(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,10}
    [A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9](?![\w@-])
    """,
    re.VERBOSE,
)
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
_SCHEMES = ("http://", "https://", "mailto:")
_LETTERS = ("", "L", "M", "N")  # Unicode's categories of letters, marks and numbers; "" for ASCII
_JOINERS = "\u200c\u200d"  # unseen, but part of how words and emoji are written
_BRACKETS = {")": "(", "]": "["}

# What bleach gets of one message: a link costs 50 microseconds, and its tokenizer slows down on
# entities. What is over either bound is shown as text.
_LINKS = 200
_ESCAPING_CHARACTERS = 500

_Attributes = dict[tuple[str | None, str] | str, str]


def _link_attributes(attributes: _Attributes, _new: bool) -> _Attributes | None:
    href = _UNSEEN.sub("", attributes[None, "href"])
    if not href.lower().startswith(_SCHEMES):
        return None
    attributes[None, "rel"] = LINK_REL
    attributes[None, "target"] = "_blank"  # in the widget's frame a page would replace the chat
    return attributes


_linker = Linker(
    callbacks=[_link_attributes],
    parse_email=True,
    url_re=re.compile(r"^https?://.+$", re.IGNORECASE | re.MULTILINE),
    email_re=re.compile(r"^[^:@\n]+@[^:@\n]+$", re.MULTILINE),
    recognized_tags=frozenset(),
)


def message_html(text: str) -> str:
    """Safe HTML that shows exactly this text, with links, and with its line breaks.

    Everything is escaped first. bleach sees nothing but what the patterns above took for a link,
    one a line, in one call; so it never decides about markup, and its cost is bounded.
    """
    if "://" not in text and "@" not in text:
        return _escaped(text)
    pieces: list[str] = []
    links: list[int] = []
    added = 0
    for word in re.split(r"(\s+)", text):
        end = 0
        for start, stop in _links_in(word):
            link = escape(word[start:stop])
            added += len(link) - (stop - start)
            if added > _ESCAPING_CHARACTERS or len(links) == _LINKS:
                break
            pieces += (_escaped(word[end:start]), link)
            links.append(len(pieces) - 1)
            end = stop
        pieces.append(_escaped(word[end:]))
    if links:
        linked = _linker.linkify("\n".join(pieces[place] for place in links)).split("\n")
        for place, link in zip(links, linked, strict=True):
            pieces[place] = link
    return "".join(pieces)


def _escaped(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _links_in(word: str) -> Iterator[tuple[int, int]]:
    """Where links begin and end in a word. In a word with a URL an ``@`` is part of the URL."""
    if "://" in word:
        for url in _URL.finditer(word):
            if link := _honest_part(url):
                yield url.start(), url.start() + len(link)
    elif "@" in word:
        for address in _EMAIL.finditer(word):
            yield address.span()


def _honest_part(url: re.Match[str]) -> str:
    """The URL without what ends a sentence; empty if it might lead elsewhere than it shows.

    A browser drops or translates what is unseen, or no letter, in a host. So a host ends at
    punctuation ("http://shop.example。"), and with anything else of that kind it is not linked.
    """
    link = url[0]
    host_start, host_end = (place - url.start() for place in url.span("host"))
    for place, character in enumerate(link):
        kind = "" if character.isascii() else category(character)[0]
        in_host = place < host_end
        if kind in _LETTERS or (not in_host and (kind in "PS" or character in _JOINERS)):
            continue
        if in_host and (kind != "P" or place == host_start):
            return ""
        link = link[:place]
        break
    while _ends_sentence(link[-1], link):
        link = link[:-1]
    return link


def _ends_sentence(last: str, link: str) -> bool:
    if last in _BRACKETS:
        return link.count(_BRACKETS[last]) < link.count(last)
    return last in ".,;:!?'*" or (last > "\x7f" and category(last)[0] == "P")
