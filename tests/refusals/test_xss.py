"""S17, S18, S24, C17, C23, C24, C40: the corpus of ``xss.json`` against the ways from text to page.

What Chromium makes of it stands in ``tests/browser/test_xss.py``.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import clean_greeting, clean_message, clean_name, clean_subject, clean_title
from tests.caller import call
from tests.unit.test_text import Reader

CORPUS = json.loads((Path(__file__).parent / "xss.json").read_text())
PAYLOADS = [text for texts in CORPUS.values() for text in texts]

hostile = st.lists(st.sampled_from(PAYLOADS), min_size=1, max_size=6).map("".join)


def shown(text):
    """What ``message_html`` shows of a text; fails on any markup but links and line breaks."""
    from models.text import message_html

    return Reader(message_html(text))


def test_the_corpus_is_as_large_as_promised():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200


@pytest.mark.parametrize("kind", CORPUS)
def test_every_payload_is_shown_literally_and_links_lead_only_to_the_web_or_to_mail(kind):
    """S17, S18, S24. Fails when a word of a text reaches the page without ``html.escape``, or when
    ``_link_attributes`` takes any scheme."""
    for text in CORPUS[kind]:
        cleaned = clean_message(text)
        read = shown(cleaned)
        assert read.text == cleaned
        assert all(re.match(r"(?i)https?://|mailto:", href) for href, _ in read.links)


@given(hostile)
def test_payloads_behind_one_another_are_no_more_than_each(text):
    cleaned = clean_message(text)
    assert shown(cleaned).text == cleaned


@pytest.mark.parametrize("kind", CORPUS)
def test_no_name_and_no_title_turns_the_text_around_it_or_leaves_its_line(kind):
    """S18, S22. Fails when ``_BIDI_CONTROLS`` lets one of them through."""
    for text in CORPUS[kind]:
        check_one_line(text)


def check_one_line(text):
    """Fails where a name, a title, a greeting or a topic does more than stand in its line."""
    for cleaned in (clean_name(text), clean_title(text), clean_greeting(text[:150])):
        assert not re.search(
            r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", cleaned
        )
    assert "\n" not in (clean_subject(text[:150]) or "")


HOSTILE_HEADERS = ("User-Agent", "Referer", "Accept-Language", "X-Forwarded-For", "Accept")


async def test_what_a_browser_says_of_itself_never_comes_back(server):
    """C17, C23: hostile User-Agent, Referer, Accept-Language, and addresses, at pages and doors.

    Fails when a page repeats one of them, or an answer's header does.
    """
    marked = [text.encode().decode("latin1") for text in PAYLOADS if text.isprintable()]
    for number, path in enumerate(
        ["/login", "/docs", "/nothing", "/chat/nobody", "/inbox", "/api/nothing", "/widget.js"] * 3
    ):
        text = marked[number * 13 % len(marked)] + "canary-5b1f"
        headers = dict.fromkeys(HOSTILE_HEADERS, text)
        answer = await call(server, "GET", path, headers=headers)
        assert answer.status < 500
        assert "canary-5b1f" not in str(answer.body) + str(answer.headers), (path, text)


async def test_no_path_and_no_query_comes_back_as_markup(server):
    """S17, S23, C37: reflected text. Fails when an error page shows the address that was asked."""
    from urllib.parse import quote

    for text in PAYLOADS[::7]:
        asked = quote(text.encode(errors="replace"), safe="")
        for path in (
            f"/{asked}",
            f"/chat/{asked}",
            f"/login?next=/{asked}",
            f"/docs?language={asked}",
        ):
            answer = await call(server, "GET", path)
            assert answer.status < 500, path
            raw = str(answer.body)
            assert text not in raw or "<" not in text, path
            assert "\n" not in answer.headers.get("Location", "")
