import gzip
import json
import re

import pytest
from tornado.httpclient import AsyncHTTPClient

from handlers.languages import LANGUAGES
from models.conversation import Participant
from models.preferences import Preferences

SHOP = "https://shop.example"


async def get(server, path, **headers):
    return await AsyncHTTPClient().fetch(server.url + path, headers=headers, raise_error=False)


@pytest.fixture
async def shop(serve):
    """A server that Omar's shop may embed."""
    server = await serve(rate_limits="off", allowed_origins=SHOP)
    await server.shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    return server


async def test_the_loader_can_be_put_on_any_page(server):
    answer = await get(server, "/widget.js")
    assert answer.code == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert server.url.encode() not in answer.body, "it finds its server by its own address"


async def test_the_loader_is_asked_for_again_and_not_sent_again(server):
    first = await get(server, "/widget.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = await get(server, "/widget.js", **{"If-None-Match": first.headers["Etag"]})
    assert (again.code, again.body) == (304, b"")


async def save(shop, **chosen):
    """Omar prefers something."""
    tokens = shop.shop.tokens
    who = tokens.read(tokens.issue(Participant("Seller", "omar"), "Omar", seconds=60))
    await shop.shop.preferences.save(who, Preferences(**chosen))


async def test_the_loader_is_4_kb_over_the_wire(shop):
    async def sent(**how):
        client = AsyncHTTPClient()
        zipped = {"headers": {"Accept-Encoding": "gzip"}, "decompress_response": False}
        return await client.fetch(shop.url + "/widget.js", **(how or zipped))

    for chosen in [{}, {"accent": "#f2c230", "corner": "start", "language": "de"}]:
        await save(shop, **chosen)
        answer = await sent()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.body) <= 4096
        assert gzip.decompress(answer.body) == (await get(shop, "/widget.js")).body
    head = await sent(method="HEAD")
    assert (head.code, head.body) == (200, b"")


async def test_the_loader_speaks_every_language(server):
    loader = (await get(server, "/widget.js")).body.decode()
    for code in LANGUAGES:
        [words] = re.findall(rf'"{code}":(\{{"title".+?\}}\}})', loader)
        words = json.loads(words)
        assert words.keys() == {"title", "open", "unread"}
        assert "%(num)s" in words["unread"]["other"]


async def test_the_loader_knows_of_a_seller_what_is_unusual(shop):
    async def told(**chosen):
        await save(shop, **chosen)
        return (await get(shop, "/widget.js")).body.decode()

    assert '"looks":{}' in await told(greeting="Hello")
    omar = 3866124158  # the number that the loader counts for it
    assert f'"looks":{{"{omar}":{{"corner":"start"}}}}' in await told(corner="start")
    assert f'"looks":{{"{omar}":{{"language":"de"}}}}' in await told(language="de")
    yellow = await told(accent="#f2c230")
    assert ":host{--fill:#f2c230;--text:#131a1b;--ink:#" in yellow
    assert "@media (prefers-color-scheme:dark){:host{--ink:#f2c230;--line:#0000}}" in yellow


async def test_the_loader_is_no_list_of_sellers(shop):
    await save(shop, corner="start", accent="#f2c230")
    assert b"omar" not in (await get(shop, "/widget.js")).body


async def test_only_the_shop_s_own_pages_may_frame_the_widget(shop):
    answer = await get(shop, "/widget/omar")
    policy = answer.headers["Content-Security-Policy"]
    assert f"frame-ancestors {shop.url} {SHOP}" in policy
    assert f'data-parent-origins="{shop.url} {SHOP}"' in answer.body.decode()


async def test_the_frame_is_the_same_for_everybody(shop):
    as_omar = {"Cookie": f"shopbell_session={shop.token('Seller', 'omar')}"}
    pages = [await get(shop, "/widget/omar", **headers) for headers in ({}, as_omar)]
    plain = [page.body.decode().partition('name="client_id"') for page in pages]
    assert plain[0][0] == plain[1][0]
    assert all("Set-Cookie" not in page.headers for page in pages)


async def test_a_seller_who_is_not_there_has_no_widget(shop):
    assert (await get(shop, "/widget/nobody")).code == 404
