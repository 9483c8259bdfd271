import re
from html import unescape
from io import BytesIO

import pytest
from PIL import Image
from tornado.httpclient import AsyncHTTPClient

from handlers.languages import LANGUAGES
from models import preferences
from models.accent import palette
from models.conversation import Participant
from models.picture import logo
from models.preferences import Preferences
from tests.caller import call

SETTINGS = "/inbox/settings"
PREVIEW = "/inbox/settings/preview.css"
HOSTILE = "</p><script>alert(1)</script>{{7*7}}\"'"
CHOSEN = {
    "accent": "#C2410C",
    "greeting": "Ring for a fitting",
    "corner": "start",
    "language": "auto",
    "panel_language": "auto",
}


def picture(size=(60, 40)):
    file = BytesIO()
    Image.new("RGB", size, (10, 90, 200)).save(file, "PNG")
    return file.getvalue()


def multipart(fields, file=None):
    """The body and the kind of a form with files."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    if file is not None:
        head = '--b\r\nContent-Disposition: form-data; name="logo"; filename="a.png"\r\n'
        parts.append(head.encode() + b"Content-Type: image/png\r\n\r\n" + file + b"\r\n")
    return b"".join([*parts, b"--b--\r\n"]), "multipart/form-data; boundary=b"


async def fetch(server, path, **headers):
    """An answer with its bytes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    client = AsyncHTTPClient()
    return await client.fetch(server.url + path, headers=sent, raise_error=False)


@pytest.fixture
async def shop(server):
    await server.shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    return server


@pytest.fixture
def omar(shop):
    return shop.token("Seller", "omar")


@pytest.fixture
def post(shop, omar):
    """Posts the settings, as Omar's browser does."""

    async def post(fields, file=None, **headers):
        body, kind = multipart(fields, file)
        sent = {"Origin": shop.url, "Content-Type": kind, **headers}
        return await call(shop, "POST", SETTINGS, raw=body, cookie=omar, headers=sent)

    return post


def chosen(shop):
    return shop.shop.preferences.of("omar")


def looks_on(html):
    """The addresses of all that a page wears."""
    return {unescape(address) for address in re.findall(r'(?:href|src)="(/look/[^"]+)"', html)}


def problems_on(answer):
    """What the page says of its fields."""
    found = re.findall(
        r'<p class="field__problem" id="(\w+)-problem"[^>]*?( hidden)?>(.*?)</p>', answer.body
    )
    return {name: unescape(text) for name, hidden, text in found if not hidden}


# --- The form -------------------------------------------------------------------------------------


async def test_what_was_chosen_is_stored_and_shown(shop, post, omar):
    answer = await post(CHOSEN)
    assert (answer.status, answer.headers["Location"]) == (303, f"{SETTINGS}?saved=1")
    assert chosen(shop) == Preferences("#c2410c", "Ring for a fitting", "start")
    page = await call(shop, "GET", f"{SETTINGS}?saved=1", cookie=omar)
    assert 'value="#c2410c"' in page.body
    assert "Ring for a fitting</textarea>" in page.body
    assert re.search(r'name="corner" value="start" checked', page.body)
    assert re.search(r'role="status" data-part="saved"', page.body)
    assert problems_on(page) == {}


async def test_the_page_says_what_became_of_the_colour(shop, post, omar):
    page = await call(shop, "GET", SETTINGS, cookie=omar)
    shades = palette("#0e6470")
    assert f"{shades.light.fill} in light and {shades.dark.fill} in dark" in page.body
    await post({"accent": "#f2c230"})
    page = await call(shop, "GET", SETTINGS, cookie=omar)
    assert "Text on this colour is easy to read." in page.body


async def test_a_plain_form_and_a_part_of_one_do_as_well(shop, omar):
    headers = {"Origin": shop.url}
    form = {"greeting": "Hello"}
    answer = await call(shop, "POST", SETTINGS, form=form, cookie=omar, headers=headers)
    assert answer.status == 303
    assert chosen(shop) == Preferences(greeting="Hello")


async def test_refusals_stand_at_their_fields_and_what_was_typed_stays(shop, post):
    typed = {**CHOSEN, "accent": "mauve", "greeting": "x" * 201 + "<b>", "corner": "top"}
    answer = await post(typed)
    assert answer.status == 400
    assert problems_on(answer).keys() == {"accent", "greeting", "corner"}
    assert 'value="mauve"' in answer.body
    assert f"{'x' * 201}&lt;b&gt;</textarea>" in answer.body
    for name in ("accent", "greeting"):
        assert re.search(rf'id="{name}"[^>]*aria-invalid="true"', answer.body), name
        assert re.search(rf'id="{name}"[^>]*aria-describedby="{name}-problem', answer.body), name
    assert chosen(shop) == Preferences()


async def test_the_look_goes_back_to_the_default_and_the_languages_stay(shop, post):
    await post({**CHOSEN, "language": "de", "panel_language": "es"}, picture())
    assert (await post({**CHOSEN, "reset": "look"})).status == 303
    assert chosen(shop) == Preferences(language="de", panel_language="es")
    assert (await call(shop, "GET", "/look/omar/logo")).status == 404


async def test_what_was_typed_is_text(shop, post, omar):
    await post({**CHOSEN, "greeting": HOSTILE})
    for path in (SETTINGS, "/chat/omar", "/widget/omar"):
        page = await call(shop, "GET", path, cookie=omar if path == SETTINGS else None)
        assert page.status == 200
        assert "alert(1)</script>{{7*7}}" not in page.body
        assert HOSTILE in unescape(page.body)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data"),
        (b"--b", "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\n\r\n--b--", "multipart/form-data; boundary=b"),
        (multipart({f"n{n}": "" for n in range(120)})[0], "multipart/form-data; boundary=b"),
        (multipart({"greeting": "x"})[0].replace(b"x", b"\xff"), "multipart/form-data; boundary=b"),
    ],
)
async def test_what_is_no_form_is_refused(shop, omar, body, kind):
    headers = {"Origin": shop.url, "Content-Type": kind}
    answer = await call(shop, "POST", SETTINGS, raw=body, cookie=omar, headers=headers)
    assert answer.status == 400
    assert chosen(shop) == Preferences()


async def test_another_kind_of_body_is_refused(shop, omar):
    headers = {"Origin": shop.url}
    answer = await call(shop, "POST", SETTINGS, CHOSEN, cookie=omar, headers=headers)
    assert answer.status == 415


# --- Who may --------------------------------------------------------------------------------------


async def test_only_pages_of_the_shop_may_post_the_settings(shop, post):
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": shop.url.replace("127.0.0.1", "localhost")},
    ):
        assert (await post(CHOSEN, **headers)).status == 403, headers
    assert chosen(shop) == Preferences()


async def test_buyers_and_strangers_have_no_settings(shop):
    maya = shop.token("Buyer", "maya")
    for cookie in (None, maya):
        answer = await call(shop, "GET", SETTINGS, cookie=cookie)
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/login?")
        answer = await call(shop, "GET", f"{PREVIEW}?accent=%23f2c230", cookie=cookie)
        assert (answer.status, "Location" in answer.headers) == (401, False)
    headers = {"Origin": shop.url}
    answer = await call(shop, "POST", SETTINGS, form=CHOSEN, cookie=maya, headers=headers)
    assert answer.status == 401
    assert shop.shop.preferences.all() == {}


async def test_sellers_change_only_their_own(shop, post):
    await shop.shop.accounts.add_seller("vera", "Vera", None, "correct horse battery")
    await post({**CHOSEN, "seller_id": "vera", "id": "vera"})
    assert shop.shop.preferences.all().keys() == {"omar"}


# --- The logo -------------------------------------------------------------------------------------


async def test_a_logo_is_stored_shown_and_removed(shop, post, omar):
    assert (await post(CHOSEN, picture())).status == 303
    kept = logo(picture())
    address = f"/look/omar/logo?v={kept.version}"
    assert chosen(shop).logo == kept.version
    for path, cookie in ((SETTINGS, omar), ("/inbox", omar), ("/chat/omar", None)):
        page = await call(shop, "GET", path, cookie=cookie)
        assert f'<img class="avatar__logo" src="{address}" alt="">' in page.body, path
    assert (await fetch(shop, address)).body == kept.content
    assert (await post(CHOSEN)).status == 303
    assert chosen(shop).logo == kept.version
    assert (await post({**CHOSEN, "remove_logo": "on"})).status == 303
    assert chosen(shop).logo == ""
    assert (await fetch(shop, address)).code == 404


async def test_a_file_that_is_no_logo_is_refused_at_its_field(shop, post):
    for file in (b"<svg></svg>", b"hello"):
        answer = await post(CHOSEN, file)
        assert answer.status == 400
        assert problems_on(answer).keys() == {"logo"}
        assert "Ring for a fitting</textarea>" in answer.body
    assert chosen(shop) == Preferences()


async def test_a_file_that_is_too_large_is_refused_in_words(shop, post):
    answer = await post(CHOSEN, b"x" * 70_000)
    assert answer.status == 413
    assert "This picture is too large" in answer.body
    assert chosen(shop) == Preferences()


# --- What pages wear ------------------------------------------------------------------------------


async def test_pages_ask_for_colours_only_where_they_are_not_the_default(shop, post, omar):
    pages = [
        ("/inbox", omar),
        ("/inbox/widget", omar),
        ("/chat/omar", None),
        ("/widget/omar", None),
    ]
    for path, cookie in pages:
        assert "/look/" not in (await call(shop, "GET", path, cookie=cookie)).body
    await post(CHOSEN)
    addresses = set()
    for path, cookie in pages:
        page = (await call(shop, "GET", path, cookie=cookie)).body
        addresses.add(re.search(r'<link rel="stylesheet" href="(/look/[^"]+)">', page)[1])
        assert page.index("/look/") > page.index("/assets/")  # it replaces what stands there
    assert len(addresses) == 1
    vera = await call(shop, "GET", "/inbox", cookie=shop.token("Seller", "vera"))
    assert "/look/" not in vera.body


async def test_the_greeting_stands_before_the_first_message(shop, post):
    for path in ("/chat/omar", "/widget/omar"):
        assert "A person answers" in (await call(shop, "GET", path)).body
    await post(CHOSEN)
    for path in ("/chat/omar", "/widget/omar"):
        page = (await call(shop, "GET", path)).body
        assert "Ask us anything" in page
        assert '<p dir="auto">Ring for a fitting</p>' in page


async def test_the_sheet_has_the_shades_of_both_schemes(shop, post):
    await post(CHOSEN)
    sheet = (await fetch(shop, "/look/omar.css")).body.decode()
    light, dark = sheet.split("@media (prefers-color-scheme:dark)")
    shades = palette("#c2410c")
    for part, made in ((light, shades.light), (dark, shades.dark)):
        assert f"--raw-accent:{made.fill};" in part
        assert f"--raw-accent-ink:{made.ink};" in part
        assert f"--raw-tint:{made.tint}" in part
    assert sheet.startswith("@layer tokens{")  # so that a shop's own theme.css still wins


async def test_what_a_version_names_is_kept_and_what_it_does_not_is_asked_for_again(shop, post):
    await post(CHOSEN, picture())
    page = (await call(shop, "GET", "/chat/omar")).body
    found = looks_on(page)
    assert len(found) == 2
    for address in found:
        answer = await fetch(shop, address)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        kind = "text/css; charset=utf-8" if ".css" in address else "image/png"
        assert answer.headers["Content-Type"] == kind
        again = await fetch(shop, address, If_None_Match=answer.headers["Etag"])
        assert (again.code, again.body) == (304, b"")
        bare, _, version = address.partition("?v=")
        for other in (bare, f"{bare}?v=0", f"{bare}?v={version}0"):
            answer = await fetch(shop, other)
            assert (answer.code, answer.headers["Cache-Control"]) == (200, "no-cache"), other
        head = await call(shop, "HEAD", address)
        assert (head.status, head.body) == (200, "")
        assert head.headers["Content-Type"] == kind
    await post({**CHOSEN, "accent": "#123456"}, picture((50, 50)))
    page = (await call(shop, "GET", "/chat/omar")).body
    assert not [address for address in found if address in unescape(page)]


async def test_a_seller_whom_nobody_knows_has_the_default_colours_and_no_logo(shop):
    known = await fetch(shop, "/look/omar.css")
    unknown = await fetch(shop, "/look/nobody%40example.css")
    assert (known.code, known.body) == (unknown.code, unknown.body)
    for path in ("/look/omar/logo", "/look/nobody/logo", "/look/nobody/logo?v=1"):
        assert (await fetch(shop, path)).code == 404


async def test_ids_of_all_kinds_lead_to_their_look(shop):
    tokens = shop.shop.tokens
    for id_ in ("a.css", "vera@example.org", "v.e_r-a"):
        who = tokens.read(tokens.issue(Participant("Seller", id_), id_, seconds=60))
        await shop.shop.preferences.save(who, Preferences(accent="#f2c230"), picture())
        page = (await call(shop, "GET", f"/chat/{id_}")).body
        image, sheet = sorted(looks_on(page), key=lambda address: ".css?" in address)
        assert b"#f2c230" in (await fetch(shop, sheet)).body
        assert (await fetch(shop, image)).code == 200


# --- The preview ----------------------------------------------------------------------------------


async def test_the_preview_has_the_same_shades_as_the_pages(shop, omar):
    answer = await call(shop, "GET", f"{PREVIEW}?accent=%23C2410C", cookie=omar)
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, max-age=600"
    shades = palette("#c2410c")
    for scheme, made in (("light", shades.light), ("dark", shades.dark)):
        line = re.search(rf'\.sample\[data-scheme="{scheme}"\]{{(.*)}}', answer.body)[1]
        assert f"--raw-accent:{made.fill};" in line
        assert f"--raw-accent-ink:{made.ink};" in line


@pytest.mark.parametrize("accent", ["", "red", "%23000%7D*%7Bcolor:red", "%ff", "%00"])
async def test_a_preview_of_no_colour_is_refused(shop, omar, accent):
    answer = await call(shop, "GET", f"{PREVIEW}?accent={accent}", cookie=omar)
    assert answer.status == 400
    assert "color:red" not in answer.body


# --- Languages ------------------------------------------------------------------------------------


async def test_pages_speak_what_the_shop_prefers(shop, post, omar):
    def language_of(page):
        return re.search(r'<html lang="(\w+)" dir="(\w+)"', page.body).groups()

    await post({"language": "ar", "panel_language": "de"})
    spanish = {"Accept-Language": "es"}
    for path in ("/chat/omar", "/widget/omar"):
        assert language_of(await call(shop, "GET", path, headers=spanish)) == ("ar", "rtl")
        asked = await call(shop, "GET", f"{path}?language=en", headers=spanish)
        assert language_of(asked) == ("en", "ltr")
    for path in ("/inbox", "/inbox/widget", SETTINGS):
        page = await call(shop, "GET", path, cookie=omar, headers=spanish)
        assert language_of(page) == ("de", "ltr")
    await post({"language": "auto"})
    page = await call(shop, "GET", "/chat/omar", headers=spanish)
    assert language_of(page) == ("es", "ltr")


def test_every_language_of_the_pages_can_be_chosen():
    assert set(preferences.LANGUAGES) == {"auto", *LANGUAGES}
