"""Every door of the server, and who may pass it. A new door without a row here fails."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest

from models.preferences import Preferences
from tests.caller import call
from tests.contract import NOWHERE

PASSWORD = "correct horse battery"
IDENTITY_SECRET = "what only the shop's own back end knows"
LOGO = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
SECRET_TEXT = "canary 7f3a91"  # what Maya wrote to Omar, and nobody else may see
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Who passes a door: everybody; whoever has a token, and sees their own; or the two of whose
# conversation it is, while for others it does not exist.
EVERYBODY, ONES_OWN, THE_TWO = "everybody", "one's own", "the two"


@dataclass(frozen=True)
class Door:
    """A way in. The address may name Maya's message to Omar, or their conversation."""

    method: str
    address: str
    who: str
    body: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    writes: bool = field(default=False)  # for whoever may pass

    @property
    def is_page(self) -> bool:
        return not self.address.startswith(("/api", "/ws", "/metrics"))

    def path(self, names):
        return self.address.format(**names)


TO_OMAR = {"recipient_id": "omar", "recipient_type": "Seller", "message": "Hello"}

DOORS = [
    Door("POST", "/api/messages/send", ONES_OWN, body=TO_OMAR, writes=True),
    Door("GET", "/api/messages/inbox", ONES_OWN),
    Door("GET", "/api/messages/sent", ONES_OWN),
    Door("GET", "/api/messages/unread/count", ONES_OWN),
    Door("GET", "/api/messages/{message}", THE_TWO),
    Door("PUT", "/api/messages/{message}/read", THE_TWO),
    Door("GET", "/api/messages/conversation/omar/Seller", ONES_OWN),
    Door("GET", "/api/messages/conversation/maya/Buyer", ONES_OWN),
    Door("GET", "/api/conversations", ONES_OWN),
    Door("GET", "/api/sellers/omar", EVERYBODY),
    Door("POST", "/api/session/guest", EVERYBODY, body={"seller_id": "omar"}),
    Door("POST", "/api/session/identify", EVERYBODY, body={"identity": "{identity}"}),
    Door("GET", "/api/openapi.json", EVERYBODY),
    Door("GET", "/ws", ONES_OWN),
    Door("GET", "/", EVERYBODY),
    Door("GET", "/chat/omar", EVERYBODY),
    Door("POST", "/chat/omar", EVERYBODY, form={"message": "Hello"}, writes=True),
    Door("GET", "/widget/omar", EVERYBODY),
    Door("GET", "/widget.js", EVERYBODY),
    Door("GET", "/inbox", ONES_OWN),
    Door("GET", "/inbox/widget", ONES_OWN),
    Door("GET", "/inbox/{conversation}", THE_TWO),
    Door("POST", "/inbox/{conversation}", THE_TWO, form={"message": "Hello"}),
    Door("GET", "/inbox/settings", ONES_OWN),
    Door("POST", "/inbox/settings", ONES_OWN, form={"greeting": "Hello"}, writes=True),
    Door("GET", "/inbox/settings/preview.css?accent=%23f2c230", ONES_OWN),
    Door("GET", "/look/omar.css", EVERYBODY),
    Door("GET", "/look/omar/logo", EVERYBODY),
    Door("GET", "/login", EVERYBODY),
    Door("POST", "/login", EVERYBODY, form={"id": "omar", "password": PASSWORD}),
    Door("POST", "/logout", EVERYBODY, form={}),
    Door("GET", "/docs", EVERYBODY),
    Door("GET", "/healthz", EVERYBODY),
    Door("GET", "/readyz", EVERYBODY),
    Door("GET", "/metrics", EVERYBODY),  # from this machine
    Door("GET", "/assets/0123456789abcdef/chat.js", EVERYBODY),
    Door("GET", "/static/js/realtime.js", EVERYBODY),
]
CLOSED = [door for door in DOORS if door.who != EVERYBODY]
# What answers addresses that are none, and Tornado's own rows for files of ours.
NAMELESS = {r"/api(?:/.*)?", r"/(robots\.txt)", r"/(favicon\.ico)"}


@pytest.fixture
async def shop(serve):
    """A server on which Maya has written to Omar, who has a logo, and Vera sells as well."""
    server = await serve(rate_limits="off", identity_secret=IDENTITY_SECRET)
    for seller in ("omar", "vera"):
        await server.shop.accounts.add_seller(seller, seller.title(), None, PASSWORD)
    omar = server.shop.tokens.read(server.token("Seller", "omar"))
    await server.shop.preferences.save(omar, Preferences(), LOGO)
    return server


@pytest.fixture
async def names(shop):
    """What the doors' addresses and bodies are filled with."""
    body = {**TO_OMAR, "message": SECRET_TEXT}
    token = shop.token("Buyer", "maya")
    answer = await call(shop, "POST", "/api/messages/send", body, token=token)
    assert answer.status == 201
    now = int(time.time())
    vouched = {"sub": "noor", "name": "Noor", "iat": now, "exp": now + 60}
    return {
        "message": answer.body["message"]["id"],
        "conversation": answer.body["message"]["conversation_id"],
        "identity": jwt.encode(vouched, IDENTITY_SECRET, algorithm="HS256"),
    }


@pytest.fixture
def written(shop, database_name, _database_client):
    """All that the database holds, but for its own notes."""

    async def written():
        await shop.shop.ledger.settle()
        database = _database_client[database_name]
        return {
            name: sorted(json.dumps(document, default=str) for document in database[name].find())
            for name in database.list_collection_names()
            if name != "meta"
        }

    return written


async def knock(server, door, names, *, token=None, cookie=None, method=None):
    """Tries a door: with a token in the header, or with a cookie on a page of the shop."""
    body = door.body and json.loads(json.dumps(door.body).replace("{identity}", names["identity"]))
    headers = {"Origin": server.url} if cookie is not None else {}
    if door.address == "/ws":
        headers |= {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    return await call(
        server,
        method or door.method,
        door.path(names),
        body,
        form=door.form,
        token=token,
        cookie=cookie,
        headers=headers,
    )


def is_turned_away(door, answer):
    """Whether this is how a door answers somebody whom nobody knows."""
    if door.is_page and answer.status == 303:
        return re.search(r"/login(\?|$)", answer.headers["Location"]) is not None
    return answer.status == 401


# --- The table itself -----------------------------------------------------------------------------


async def test_every_door_has_its_row(shop, names):
    application = shop.http.request_callback
    rules = [
        rule.matcher.regex.pattern.rstrip("$")
        for router in application.default_router.rules
        for rule in router.target.rules
    ]
    assert len(rules) > len(CLOSED)
    doors_of: dict[str, list[Door]] = {pattern: [] for pattern in rules}
    for door in DOORS:
        pattern = next(p for p in rules if re.fullmatch(p, door.path(names).partition("?")[0]))
        doors_of[pattern].append(door)
    without = [p for p, doors in doors_of.items() if not doors and p not in NAMELESS]
    assert without == []


# --- Strangers ------------------------------------------------------------------------------------


async def test_all_but_the_public_doors_turn_a_stranger_away(shop, names, written):
    before = await written()
    for door in CLOSED:
        answer = await knock(shop, door, names)
        assert is_turned_away(door, answer), (door, answer.status)
        assert SECRET_TEXT not in str(answer.body)
    assert await written() == before


async def test_the_public_doors_are_open_and_show_nothing_of_anybodys(shop, names, written):
    before = await written()
    for door in DOORS:
        if door.who == EVERYBODY and not door.writes:
            answer = await knock(shop, door, names)
            assert answer.status in {200, 201, 303}, (door, answer.status)
            assert not is_turned_away(door, answer) or door.address in {"/", "/logout"}
            assert SECRET_TEXT not in str(answer.body)
            assert "maya" not in str(answer.body) or door.address in {"/docs", "/api/openapi.json"}
    assert await written() == before


async def test_tokens_that_have_ended_pass_no_closed_door(shop, names, written):
    guest = (await call(shop, "POST", "/api/session/guest", {"seller_id": "omar"})).body["token"]
    await call(shop, "POST", "/api/messages/send", TO_OMAR, token=guest)
    said = {"identity": names["identity"], "guest_token": guest}
    assert (await call(shop, "POST", "/api/session/identify", said)).status == 200
    login = {"id": "omar", "password": PASSWORD}
    session = (await call(shop, "POST", "/login", form=login)).session
    out = {"Origin": shop.url}
    await call(shop, "POST", "/logout", form={}, cookie=session, headers=out)
    await shop.shop.accounts.set_disabled("vera", True)
    await shop.shop.accounts.refresh()
    before = await written()
    ended = {"guest": guest, "logged out": session, "disabled": shop.token("Seller", "vera")}
    for kind, token in ended.items():
        for door in CLOSED:
            with_header = await knock(shop, door, names, token=token)
            with_cookie = await knock(shop, door, names, cookie=token)
            for answer in (with_header, with_cookie):
                assert is_turned_away(door, answer), (kind, door, answer.status)
                assert SECRET_TEXT not in str(answer.body)
    assert await written() == before


# --- Others ---------------------------------------------------------------------------------------

OTHERS = [("Buyer", "lena"), ("Seller", "vera"), ("Buyer", "omar"), ("Seller", "maya")]


@pytest.mark.parametrize(("type_", "id_"), OTHERS)
async def test_what_is_others_does_not_exist_and_is_not_changed(shop, names, written, type_, id_):
    before = await written()
    token = shop.token(type_, id_)
    nowhere = {**names, "message": NOWHERE, "conversation": NOWHERE}
    for door in CLOSED:
        if door.writes or door.address == "/ws":
            continue
        how = {"cookie": token} if door.is_page else {"token": token}
        answer = await knock(shop, door, names, **how)
        assert SECRET_TEXT not in str(answer.body), door
        if door.who != THE_TWO:
            assert names["conversation"] not in str(answer.body), door
            continue
        missing = await knock(shop, door, nowhere, **how)
        assert answer.status == missing.status, door
        if door.is_page:  # buyers have no business behind the counter at all
            assert answer.status == 404 or type_ == "Buyer"
            assert answer.status in {303, 401, 403, 404}
            assert answer.body == missing.body.replace(NOWHERE, names["conversation"])
        else:
            assert answer.refusal == (404, "not_found")
            assert answer.body == missing.body
    assert await written() == before


async def test_the_two_pass(shop, names):
    for door in CLOSED:
        if door.address == "/ws" or door.address.endswith("/Buyer"):
            continue
        token = shop.token("Seller", "omar")
        if door.body is not None:  # one does not write to oneself
            token = shop.token("Buyer", "maya")
        how = {"cookie": token} if door.is_page else {"token": token}
        answer = await knock(shop, door, names, **how)
        assert answer.status in {200, 201, 303}, (door, answer.body)
        assert answer.status != 303 or not is_turned_away(door, answer), door


# --- Methods --------------------------------------------------------------------------------------


async def test_no_door_has_a_method_beside_its_rows(shop, names, written):
    rows = {(door.method, door.address) for door in DOORS}
    before = await written()
    lena = shop.token("Seller", "vera")
    for door in {door.address: door for door in DOORS}.values():
        for method in METHODS:
            if (method, door.address) in rows:
                continue
            for token in (None, lena):
                answer = await knock(shop, door, names, token=token, method=method)
                assert 400 <= answer.status < 500, (method, door.address, answer.status)
    assert await written() == before


# --- Ids in addresses -----------------------------------------------------------------------------

TRAVERSALS = ["..%2f..%2fetc%2fpasswd", "..%5c..", "%2e%2e%2f", "....//", "%00", "%ff", "~root"]


@pytest.mark.parametrize("address", ["/static/{}", "/chat/{}", "/widget/{}", "/inbox/{}"])
async def test_a_path_leads_nowhere_else(shop, names, address):
    cookie = shop.token("Seller", "omar")
    for text in [
        *TRAVERSALS,
        "x" * 5_000,
        "../server.py",
        "../../etc/passwd",
        "js/../../server.py",
        "js",
        "",
    ]:
        answer = await call(shop, "GET", address.format(text), cookie=cookie)
        assert 300 <= answer.status < 500, (address, text)
        assert "root:" not in str(answer.body)
        assert "import" not in str(answer.body)
