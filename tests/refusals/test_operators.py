"""S16, C1–C5: what a client says is text or a number, never a question to the database.

Rocket.Chat CVE-2021-22911, CVE-2021-22910, CVE-2026-45689, CVE-2026-45688, CVE-2026-30833 and
CVE-2026-29198 took ``{"$regex": …}`` and ``{"$ne": null}`` for an id, a token or a name, and looked
up the first user whom that described. The fields are read from the program's structs, so a new one
is tried as soon as it is there.
"""

import ast
import json
from itertools import product
from pathlib import Path
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import fields

from handlers.routes import API, PAGES
from models.events import COMMANDS, Product
from models.preferences import CHECKS
from tests.caller import call
from tests.contract import OPERATORS
from tests.refusals.doors import DOORS, SAMPLES, SHOP

HANDLERS = sorted((Path(__file__).parents[2] / "handlers").glob("**/*.py"))
# As parsers of PHP, Express and Rails make objects of texts.
BRACKETS = ["[$ne]", "[$gt]", "[$regex]", "[$where]", "[]", "[0]", ".$ne", "[__proto__]"]
# Texts that a look-up which parses JSON, or takes a pattern, would obey.
TEXTS = [
    '{"$ne":null}',
    '{"$gt":""}',
    '{"$regex":".*"}',
    "[$ne]",
    ".*",
    "^",
    "*",
    "$where",
    "' || 1==1 //",
]

BODIES = {
    pattern: (method, call_.body)
    for pattern, door in API
    for method, call_ in door.calls().items()
    if call_.body is not None
}
QUERIES = {
    pattern: call_.query
    for pattern, door in API
    for call_ in door.calls().values()
    if call_.query is not None
}


def names_of(struct: type[Struct]) -> list[str]:
    return [field.encode_name for field in fields(struct)]


# --- Bodies ---------------------------------------------------------------------------------------


async def test_s16_c1_c5_no_field_of_a_body_takes_an_operator(shop, names, written, vouch):
    """Fails when a field's type is ``Any``, or ``JsonHandler.decode`` hands out plain JSON."""
    good = {
        r"/api/messages/send": {
            "recipient_id": "omar",
            "recipient_type": "Seller",
            "message": "Hello",
        },
        r"/api/session/guest": {"seller_id": "omar"},
        r"/api/session/identify": {"identity": vouch()},
    }
    assert good.keys() == BODIES.keys()
    before = await written()
    token = shop.token("Buyer", "maya")
    for path, (method, struct) in BODIES.items():
        for name in names_of(struct):
            for value in OPERATORS:
                body = good[path] | {name: value}
                answer = await call(shop, method.upper(), path, body, token=token)
                assert answer.refusal == (400, "invalid"), (path, name, value)
                assert answer.body["error"]["field"].startswith(name), (path, name, value)
                assert answer.session is None
    assert await written() == before


async def test_s16_c2_no_look_up_yields_the_first_user(shop, names, vouch):
    """C2: Rocket.Chat CVE-2021-22910 found a user by a token that was an operator.

    Operators as texts, where the type of the field allows them: each is a name that nobody has."""
    guest = (await call(shop, "POST", "/api/session/guest", {"seller_id": "omar"})).body
    question = {"recipient_id": "omar", "recipient_type": "Seller", "message": "A guest's"}
    await call(shop, "POST", "/api/messages/send", question, token=guest["token"])
    lena = shop.token("Buyer", "lena")
    for text in TEXTS:
        said = {"identity": text}
        answer = await call(shop, "POST", "/api/session/identify", said)
        assert answer.refusal == (401, "unauthorized"), text
        said = {"identity": vouch("rosa"), "guest_token": text}
        rosa = (await call(shop, "POST", "/api/session/identify", said)).body["token"]
        listed = await call(shop, "GET", "/api/conversations", token=rosa)
        assert listed.body["conversations"] == [], text
        for answer in (
            await call(shop, "GET", "/api/conversations", token=text),
            await call(shop, "GET", "/api/conversations", cookie=quote(text)),
        ):
            assert answer.status == 401, text
        for key in ("recipient_id", "recipient_type"):
            answer = await call(
                shop, "POST", "/api/messages/send", question | {key: text}, token=lena
            )
            assert answer.status in {400, 404}, (key, text)
    token = guest["token"]
    assert (await call(shop, "GET", "/api/conversations", token=token)).status == 200


# --- Addresses ------------------------------------------------------------------------------------


async def test_s16_c3_no_query_takes_an_operator(shop, names, written):
    """A name in brackets is another name, which nobody asked for; an operator's text is refused, or
    finds nothing."""
    before = await written()
    token = shop.token("Seller", "omar")
    for pattern, struct in QUERIES.items():
        path = pattern.replace("([^/]+)", "{}").format("maya", "Buyer")
        usual = await call(shop, "GET", path, token=token)
        assert usual.status == 200, path
        for name in names_of(struct):
            query = urlencode({name + bracket: "1" for bracket in BRACKETS})
            answer = await call(shop, "GET", f"{path}?{query}", token=token)
            assert (answer.status, answer.body) == (200, usual.body), (path, query)
            for text in TEXTS:
                query = urlencode({name: text})
                answer = await call(shop, "GET", f"{path}?{query}", token=token)
                if answer.status != 400:  # a text that may be anything: people's names
                    assert (name, answer.body["conversations"]) == ("name", []), (path, query)
    assert await written() == before


async def test_s16_no_path_takes_an_operator(shop, names, written):
    before = await written()
    for pattern, _ in [*API, *PAGES]:
        address = pattern.replace(r"\.", ".").replace("([^/]+)", "{}")
        address = address.replace("([0-9a-f]{24})", "{}")
        if "{}" not in address:
            continue
        for text in [*TEXTS, "$ne", "[$ne]=1", "{$ne:1}", "true", "0", "null"]:
            path = address.format(*[quote(text, safe="")] * address.count("{}"))
            for who in (None, shop.token("Seller", "omar")):
                answer = await call(shop, "GET", path, token=who)
                is_default_look = path.startswith("/look/") and path.endswith(".css")
                assert answer.status in {303, 400, 401, 404, 405} or is_default_look, path
    assert await written() == before


# --- Forms ----------------------------------------------------------------------------------------


async def test_s16_c4_no_form_takes_an_operator(shop, names, written):
    """``password[$ne]=1`` is a field that nobody asked for, and the password is missing."""
    before = await written()
    for door in DOORS:
        for name in door.form or {}:
            who = ("Buyer", "maya") if door.address == "/chat/omar" else ("Seller", "omar")
            rest = {field: text for field, text in (door.form or {}).items() if field != name}
            for forged in ({name + bracket: "1"} for bracket in BRACKETS):
                answer = await call(
                    shop,
                    door.method,
                    door.path(names),
                    form=rest | forged,
                    cookie=shop.token(*who) if door.address != "/login" else None,
                    headers={"Origin": shop.url},
                )
                is_only_kept = "settings" in door.address and answer.status == 303
                assert answer.status in {400, 401, 429} or is_only_kept, (door, forged)
                assert answer.session is None, (door, forged)
            shop.shop.pace._full_at["logins:address"].clear()
            shop.shop.pace._full_at["logins:account"].clear()
    form = {"id": '{"$gt":""}', "password": '{"$gt":""}'}
    assert (await call(shop, "POST", "/login", form=form)).status == 401
    after = await written()
    after["participants"], before["participants"] = [], []  # settings may be saved as they were
    assert after == before


async def test_s16_settings_are_texts_of_their_own_kind(shop):
    """A greeting may say anything; it is stored as the text that it is."""
    omar = shop.token("Seller", "omar")
    for field, text in product(CHECKS, TEXTS):
        answer = await call(
            shop,
            "POST",
            "/inbox/settings",
            form={field: text},
            cookie=omar,
            headers={"Origin": shop.url},
        )
        if field == "greeting":
            assert answer.status == 303
            assert shop.shop.preferences.of("omar").greeting == text
        else:
            assert answer.status == 400, (field, text)


# --- Events ---------------------------------------------------------------------------------------


def fields_of(event):
    """Every field of an event, those of a product within it too, with data that hold a value."""
    for name in names_of(COMMANDS[event].data):
        yield name, lambda value, name=name: SAMPLES[event] | {name: value}
    if event == "update_context":
        mug = {"name": "A mug", "url": f"{SHOP}/mug"}
        for name in names_of(Product):
            yield (
                f"product.{name}",
                lambda value, name=name: SAMPLES[event] | {"product": mug | {name: value}},
            )


async def test_s16_c5_no_field_of_an_event_takes_an_operator(shop, names, join, written):
    """C5: Rocket.Chat CVE-2026-30833 and CVE-2026-29198 took them on the socket.

    Fails when a field's type is ``Any``."""
    maya = await join(shop, "Buyer", "maya")
    before = await written()
    tried = 0
    for event in COMMANDS:
        for field, holding in fields_of(event):
            for value in OPERATORS:
                if field == "since" and value in ({}, {"a.b": 1}):
                    continue  # conversations of nobody's are passed over without a word
                refused = await maya.refusal(event, holding(value))
                assert refused["code"] == "invalid", (event, field, value)
                assert refused["field"].startswith(field), (event, field, value)
                tried += 1
    assert tried > 200
    assert await written() == before


async def test_s16_an_envelope_takes_no_operator(shop, join):
    maya = await join(shop, "Buyer", "maya")
    for value in OPERATORS:
        for frame in ({"event": value}, {"event": "update_status", "data": {}, "id": value}):
            await maya.write(json.dumps(frame))
            assert (await maya.error())["code"] == "bad_request", frame


# --- The source -----------------------------------------------------------------------------------


def test_s16_doors_read_no_json_and_no_arguments_by_themselves():
    """All that comes in goes through ``models/codec.py`` into structs, through ``form`` and
    ``query`` into texts; what the store takes is held by ``test_architecture.py``.

    Fails when a handler calls ``json.loads`` or ``get_argument``."""
    loose = {"loads", "load", "decode_body", "get_argument", "get_arguments", "get_body_argument"}
    loose |= {"get_body_arguments", "get_query_arguments", "raw_decode"}
    found = [
        f"{path.name}: {node.attr}"
        for path in HANDLERS
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and node.attr in loose
    ]
    assert found == []
