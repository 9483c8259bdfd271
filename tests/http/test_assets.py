"""What pages are made of. How the bundles are made is tested in ``unit/test_bundles.py``."""

import gzip

import pytest
from tornado.httpclient import AsyncHTTPClient

from handlers.bundles import bundle, bundle_address
from models.demo import SELLER, prepare_demo

NAMES = ["chat.js", "chat.css"]
OLD = "0123456789abcdef"


async def get(server, path, method="GET", **headers):
    client = AsyncHTTPClient()
    return await client.fetch(
        server.url + path,
        method=method,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        decompress_response=False,
        raise_error=False,
    )


@pytest.mark.parametrize("name", NAMES)
async def test_a_bundle_is_kept_for_a_year_under_its_digest(server, name):
    answer = await get(server, bundle_address(name))
    assert (answer.code, answer.body) == (200, bundle(name).plain)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == bundle(name).kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", NAMES)
async def test_a_bundle_is_compressed_for_who_can_read_that(server, name):
    small = await get(server, bundle_address(name), Accept_Encoding="gzip, br")
    large = await get(server, bundle_address(name), Accept_Encoding="br")
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in large.headers
    assert gzip.decompress(small.body) == large.body
    assert small.headers["Vary"] == large.headers["Vary"] == "Accept-Encoding"


async def test_a_page_of_an_older_server_gets_today_s_file_and_does_not_keep_it(server):
    answer = await get(server, f"/assets/{OLD}/chat.js")
    assert (answer.code, answer.body) == (200, bundle("chat.js").plain)
    assert answer.headers["Cache-Control"] == "no-cache"
    etag = answer.headers["Etag"]
    again = await get(server, f"/assets/{OLD}/chat.js", If_None_Match=etag)
    assert (again.code, again.body) == (304, b"")
    assert again.headers["Vary"] == "Accept-Encoding"


async def test_head_is_answered_as_get_without_the_body(server):
    full = await get(server, bundle_address("chat.js"))
    bare = await get(server, bundle_address("chat.js"), method="HEAD")
    assert bare.body == b""
    for name in ["Content-Length", "Content-Type", "Etag", "Cache-Control"]:
        assert bare.headers[name] == full.headers[name]


@pytest.mark.parametrize(
    "path", [f"/assets/{OLD}/none.js", f"/assets/{OLD}/tokens.css", "/assets/x/chat.js", "/assets/"]
)
async def test_what_is_no_bundle_is_not_found(server, path):
    assert (await get(server, path)).code == 404


async def test_the_files_themselves_stay_as_they_are_written(server):
    answer = await get(server, "/static/js/realtime.js", Accept_Encoding="gzip")
    assert answer.body.startswith(b"/**")
    assert b"export class RealtimeMessages {" in answer.body
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_only_pages_that_are_the_same_for_everybody_are_compressed(serve):
    """BREACH: the compressed length of somebody's own page tells of what stands in it."""
    server = await serve(rate_limits="off", demo="on")
    await prepare_demo(server.shop)
    cookie = f"shopbell_session={server.token('Seller', SELLER.id)}"
    for path in ["/", f"/widget/{SELLER.id}", "/login", "/docs"]:
        small = await get(server, path, Accept_Encoding="gzip")
        large = await get(server, path)
        assert small.headers["Content-Encoding"] == "gzip", path
        assert len(small.body) < len(large.body), path
        assert b"<!doctype html>" in gzip.decompress(small.body)
        assert "Accept-Encoding" in small.headers["Vary"]
    for path in [f"/chat/{SELLER.id}", "/inbox", "/inbox/widget", "/nothing"]:
        own = await get(server, path, Accept_Encoding="gzip", Cookie=cookie)
        assert "Content-Encoding" not in own.headers, path
        assert b"<!doctype html>" in own.body
