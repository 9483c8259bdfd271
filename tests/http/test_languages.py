"""Which language a page speaks to whom, and that its links go on speaking it."""

import re
from html import unescape

import pytest

from models.conversation import Participant
from models.preferences import Preferences
from tests.caller import call

GERMAN, SPANISH, ARABIC = ({"Accept-Language": wanted} for wanted in ("de-AT", "es", "ar-EG"))
MAYA, OMAR = Participant("Buyer", "maya"), Participant("Seller", "omar")


@pytest.fixture
async def shop(server):
    await server.shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    return server


@pytest.fixture
async def prefer(shop):
    """Lets Omar choose: ``await prefer(language="es")``."""
    tokens = shop.shop.tokens
    omar = tokens.read(tokens.issue(OMAR, "Omar", seconds=60))

    async def prefer(**chosen):
        await shop.shop.preferences.save(omar, Preferences(**chosen))

    return prefer


def language_of(answer):
    found = re.search(r'<html lang="(\w+)" dir="(\w+)"', answer.body)
    assert found[2] == ("rtl" if found[1] == "ar" else "ltr")
    return found[1]


def own_addresses(answer):
    """Where a page's links and posted forms lead."""
    page = re.sub(r'<(link|script)\b[^>]*>|<form [^>]*method="get"[^>]*>', "", answer.body)
    found = re.findall(r'\b(?:href|action)="(/[^"]*)"', page)
    return {unescape(address) for address in found}


@pytest.mark.parametrize("path", ["/chat/omar", "/widget/omar"])
async def test_a_buyers_page_follows_its_address_then_the_shop_then_the_browser(shop, prefer, path):
    assert language_of(await call(shop, "GET", path)) == "en"
    assert language_of(await call(shop, "GET", path, headers=GERMAN)) == "de"
    await prefer(language="es", panel_language="ar")
    assert language_of(await call(shop, "GET", path, headers=GERMAN)) == "es"
    assert language_of(await call(shop, "GET", f"{path}?language=ar", headers=GERMAN)) == "ar"
    assert language_of(await call(shop, "GET", f"{path}?language=xx", headers=GERMAN)) == "es"


@pytest.mark.parametrize("path", ["/inbox", "/inbox/widget", "/inbox/settings"])
async def test_a_sellers_page_follows_its_address_then_the_seller_then_the_browser(
    shop, prefer, path
):
    omar = shop.token("Seller", "omar")
    assert language_of(await call(shop, "GET", path, cookie=omar, headers=SPANISH)) == "es"
    await prefer(language="es", panel_language="ar")
    assert language_of(await call(shop, "GET", path, cookie=omar, headers=GERMAN)) == "ar"
    asked = await call(shop, "GET", f"{path}?language=de", cookie=omar)
    assert language_of(asked) == "de"


async def test_what_is_wrong_is_told_in_the_browsers_language(shop):
    for path in ("/nowhere", "/chat/nobody"):
        answer = await call(shop, "GET", path, headers=GERMAN)
        assert (answer.status >= 400, language_of(answer)) == (True, "de")
    form = {"message": " "}
    answer = await call(
        shop, "POST", "/chat/omar", form=form, headers={**GERMAN, "Origin": shop.url}
    )
    assert answer.status == 400
    assert "Eine Nachricht braucht Text" in answer.body
    form = {"id": "omar", "password": "wrong"}
    answer = await call(shop, "POST", "/login", form=form, headers={**ARABIC, "Origin": shop.url})
    assert answer.status == 401
    assert "المعرّف أو كلمة المرور غير صحيحة." in answer.body


async def test_the_api_goes_on_in_english(shop):
    answer = await call(shop, "GET", "/api/sellers/nobody", headers=GERMAN)
    assert answer.body["error"]["message"] == "There is no such seller."


async def test_the_reference_is_in_english_for_everybody(shop):
    assert language_of(await call(shop, "GET", "/docs?language=de", headers=GERMAN)) == "en"


@pytest.mark.parametrize("path", ["/inbox", "/inbox/widget", "/inbox/settings", "/chat/omar"])
async def test_links_and_forms_keep_what_the_address_asked_for(shop, path):
    omar = shop.token("Seller", "omar")
    await call(
        shop,
        "POST",
        "/api/messages/send",
        {"recipient_id": "omar", "recipient_type": "Seller", "message": "Hello"},
        token=shop.token("Buyer", "maya"),
    )
    cookie = shop.token("Buyer", "maya") if path.startswith("/chat") else omar
    page = await call(shop, "GET", f"{path}?language=de", cookie=cookie)
    asked = own_addresses(page)
    assert asked
    searches = page.body.count('method="get"')
    assert page.body.count('<input type="hidden" name="language" value="de">') == searches
    assert {address for address in asked if "language=de" not in address} == set()
    plain = own_addresses(await call(shop, "GET", path, cookie=cookie, headers=GERMAN))
    assert {address for address in plain if "language=" in address} == set()


async def test_the_way_through_the_login_keeps_it_too(shop):
    answer = await call(shop, "GET", "/inbox?language=es")
    wanted = "/login?next=%2Finbox%3Flanguage%3Des&language=es"
    assert answer.headers["Location"] == wanted
    login = await call(shop, "GET", wanted)
    assert own_addresses(login) == {"/login?language=es"}
    form = {"id": "omar", "password": "correct horse battery", "next": "/inbox?language=es"}
    origin = {"Origin": shop.url}
    answer = await call(shop, "POST", "/login?language=es", form=form, headers=origin)
    assert (answer.status, answer.headers["Location"]) == (303, "/inbox?language=es")


async def test_a_form_that_was_sent_leads_back_in_its_language(shop):
    form = {"message": "Hello", "client_id": "c1"}
    sent = await call(shop, "POST", "/chat/omar?language=ar", form=form)
    assert (sent.status, sent.headers["Location"]) == (303, "/chat/omar?language=ar")
