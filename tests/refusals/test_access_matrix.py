"""S10, C7, C9, C15, C20: every way in × every kind of stranger, over the program's own tables.

The ways are read from ``handlers/routes.py`` and ``models/events.py``; a new route, method or event
without a row fails. A stranger gets what they would get if the thing were not there, and nothing is
written.
"""

import json
import time

import pytest
from msgspec import json as schemas
from msgspec.structs import fields

from models.conversation import Participant
from models.erasure import ordered
from models.events import COMMANDS
from models.tokens import Tokens
from tests.caller import call
from tests.contract import NOWHERE
from tests.refusals.conftest import SECRET_TEXT
from tests.refusals.doors import (
    CLOSED,
    DOORS,
    EVERYBODY,
    ONES_OWN,
    PASSWORD,
    SAMPLES,
    SELLERS,
    THE_TWO,
    TO_OMAR,
    is_turned_away,
    knock,
    way_of,
    ways_of,
)
from tests.sockets.client import knock as knock_at_socket
from tests.sockets.client import spoken

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Neither the one nor the other of the two, though some have the id of one.
OTHERS = [("Buyer", "lena"), ("Seller", "vera"), ("Buyer", "omar"), ("Seller", "maya")]


# --- The tables themselves ------------------------------------------------------------------------


async def test_every_way_in_has_its_row(shop, names):
    """Fails when a route or a method is added without a row: with ``/new`` in PAGES, say."""
    ways = set(ways_of(shop))
    assert len(ways) > 30
    assert {way_of(shop, door, names) for door in DOORS} == ways


async def test_no_door_has_a_method_beside_its_rows(shop, names, written):
    rows = {(door.method, door.address) for door in DOORS}
    before = await written()
    vera = shop.token("Seller", "vera")
    for door in {door.address: door for door in DOORS}.values():
        for method in METHODS:
            if (method, door.address) not in rows:
                answer = await knock(shop, door, names, token=vera, method=method)
                assert answer.status in {404, 405}, (method, door.address, answer.status)
    assert await written() == before


# --- Whom nobody knows ----------------------------------------------------------------------------


@pytest.fixture
async def unknown(shop, names):
    """Tokens of people whom nobody knows any more, by what became of them."""
    guest = (await call(shop, "POST", "/api/session/guest", {"seller_id": "omar"})).body["token"]
    await call(shop, "POST", "/api/messages/send", TO_OMAR, token=guest)
    said = {"identity": names["identity"], "guest_token": guest}
    assert (await call(shop, "POST", "/api/session/identify", said)).status == 200
    login = {"id": "omar", "password": PASSWORD}
    session = (await call(shop, "POST", "/login", form=login)).session
    own = {"Origin": shop.url}
    await call(shop, "POST", "/logout", form={}, cookie=session, headers=own)
    disabled = shop.token("Seller", "vera")
    await shop.shop.accounts.set_disabled("vera", True)
    await shop.shop.accounts.refresh()
    erased = shop.token("Buyer", "ines")
    await call(shop, "POST", "/api/messages/send", TO_OMAR, token=erased)
    await ordered(shop.shop.store, Participant("Buyer", "ines"))
    await shop.shop.erasures.refresh()
    settings = shop.shop.settings
    earlier = Tokens(settings.secret, settings.identity_secret, now=lambda: time.time() - 60)
    return {
        "a guest who is a buyer now": guest,
        "logged out": session,
        "disabled": disabled,
        "erased": erased,
        "over": earlier.issue(Participant("Buyer", "maya"), "Maya", seconds=60),
        "nonsense": "a.bad.token",
    }


async def test_whom_nobody_knows_passes_no_closed_door(shop, names, written, unknown):
    """Fails when ``BaseHandler.prepare`` raises no ``Unauthorized``, or when
    ``Accounts.is_refused`` forgets one of the ends."""
    before = await written()
    for door in CLOSED:
        answers = {"nobody": await knock(shop, door, names)}
        if door.method == "GET" and door.address != "/ws":
            answers["head"] = await knock(shop, door, names, method="HEAD")
        for kind, token in unknown.items():
            answers[kind] = await knock(shop, door, names, token=token)
            answers[f"{kind}, in the cookie"] = await knock(shop, door, names, cookie=token)
        for kind, answer in answers.items():
            assert is_turned_away(answer), (kind, door, answer.status)
            assert SECRET_TEXT not in str(answer.body), (kind, door)
    assert await written() == before


async def test_the_public_doors_are_open_and_show_nothing_of_anybodys(shop, names, written):
    before = await written()
    for door in DOORS:
        if door.who == EVERYBODY and not door.writes:
            answer = await knock(shop, door, names)
            assert answer.status in {200, 201, 303}, (door, answer.status)
            assert not is_turned_away(answer) or door.address in {"/", "/logout"}
            assert SECRET_TEXT not in str(answer.body)
            assert "maya" not in str(answer.body) or door.address in {"/docs", "/api/openapi.json"}
    assert await written() == before


# --- Others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "id_"), OTHERS)
async def test_what_is_others_does_not_exist_and_is_not_changed(shop, names, written, type_, id_):
    """C15, C20: reading and acting alike. Fails when ``History.own`` or ``own_message`` does not
    ask whose conversation it is."""
    before = await written()
    token = shop.token(type_, id_)
    nowhere = {**names, "message": NOWHERE, "conversation": NOWHERE}
    for door in CLOSED:
        if door.address == "/ws" or (door.writes and door.who == ONES_OWN):
            continue
        if door.writes and door.who == SELLERS and type_ == "Seller":
            continue
        how = {"cookie": token} if door.is_page else {"token": token}
        answer = await knock(shop, door, names, **how)
        assert SECRET_TEXT not in str(answer.body), door
        if door.who != THE_TWO:
            assert names["conversation"] not in str(answer.body), door
            assert is_turned_away(answer) or door.who == ONES_OWN or type_ == "Seller", door
            continue
        missing = await knock(shop, door, nowhere, **how)
        assert answer.status == missing.status, door
        if not door.is_page:
            assert answer.refusal == (404, "not_found"), door
            assert answer.body == missing.body, door
        elif type_ == "Seller":
            assert answer.status == 404, door
            assert answer.body == missing.body.replace(NOWHERE, names["conversation"]), door
        else:  # buyers have no business behind the counter at all
            assert is_turned_away(answer), door
    assert await written() == before


async def test_the_two_pass(shop, names):
    """Else the tests above would pass with all doors walled up."""
    for door in CLOSED:
        if door.address == "/ws" or door.address.endswith("/Buyer"):
            continue
        token = shop.token("Seller", "omar")
        if door.body is not None:  # one does not write to oneself
            token = shop.token("Buyer", "maya")
        how = {"cookie": token} if door.is_page else {"token": token}
        answer = await knock(shop, door, names, **how)
        assert answer.status in {200, 201, 303}, (door, answer.body)
        assert not is_turned_away(answer), door


# --- Events ---------------------------------------------------------------------------------------


def id_fields(event):
    """The fields of an event that name a message or a conversation."""
    struct = COMMANDS[event].data
    return [
        field.encode_name
        for field in fields(struct)
        if "object id" in json.dumps(schemas.schema(field.type))
    ]


def naming(event, message, conversation):
    """All ways to name something with an event: by each of its ids alone, and by all at once."""
    ids = {
        field: message if field.startswith("message") else conversation
        for field in id_fields(event)
    }
    ways = [{field: id_} for field, id_ in ids.items()]
    return [SAMPLES[event] | way for way in [*ways, *([ids] if len(ids) > 1 else [])]]


def test_every_event_has_its_row():
    """Fails when an event is added to ``COMMANDS`` without a sample here."""
    assert SAMPLES.keys() == COMMANDS.keys()
    assert [event for event in SAMPLES if id_fields(event)] == [
        *("mark_as_delivered", "mark_as_read", "join_room", "leave_room")
    ]


@pytest.mark.parametrize(("type_", "id_"), OTHERS)
async def test_no_event_opens_what_is_others(shop, names, join, written, type_, id_):
    """A refusal is ``forbidden``, the same for what is not there. Fails when ``History.own`` does
    not ask whose conversation it is."""
    other = await join(shop, type_, id_)
    before = await written()
    for event in SAMPLES:
        theirs = naming(event, names["message"], names["conversation"])
        missing = naming(event, NOWHERE, NOWHERE)
        for data, nowhere in zip(theirs, missing, strict=True):
            refused = await other.refusal(event, data)
            assert refused["code"] == "forbidden", (event, data)
            assert refused == await other.refusal(event, nowhere), (event, data)
    since = {names["conversation"]: 0, NOWHERE: 0}
    assert (await other.ask("register_user", {"since": since}))["conversations"] == []
    if type_ == "Buyer":  # a seller may write to any buyer who is known
        for event in ("send_message", "typing"):
            known = await other.refusal(event, SAMPLES[event])
            assert known["code"] == "forbidden", event
            assert known == await other.refusal(event, SAMPLES[event] | {"recipient_id": "nobody"})
    await other.heard_so_far()
    for frame in other.heard:
        assert SECRET_TEXT not in json.dumps(frame)
        assert names["conversation"] not in json.dumps(frame)
    assert await written() == before


async def test_c7_rights_to_one_conversation_open_no_other(shop, names, join, written):
    """C7: Rocket.Chat CVE-2026-48616 and CVE-2026-56845 checked the rights to a room that the
    request named, and then acted on a message of another one.

    Fails when ``History.own_message`` does not ask for the message's own conversation."""
    lena = await join(shop, "Buyer", "lena")
    own = (await lena.ask("send_message", TO_OMAR))["message"]
    before = await written()
    for event in ("mark_as_read", "mark_as_delivered"):
        data = {"message_id": names["message"], "seq": 1}
        refused = await lena.refusal(event, {**data, "conversation_id": names["conversation"]})
        assert refused["code"] == "forbidden"
    both = {"message_id": names["message"], "conversation_id": own["conversation_id"], "seq": 1}
    assert (await lena.refusal("mark_as_read", both))["code"] == "forbidden"
    token = shop.token("Buyer", "lena")
    room = f"conversation_id={own['conversation_id']}"
    for method, path in (("GET", ""), ("PUT", "/read")):
        answer = await call(
            shop, method, f"/api/messages/{names['message']}{path}?{room}", token=token
        )
        assert answer.refusal == (404, "not_found")
    assert await written() == before


async def test_s12_c8_before_registering_no_event_has_an_effect(shop, names, connect, written):
    """C8: Rocket.Chat CVE-2026-48929 skipped its check for a user who was null.

    Fails when ``ChatSocket._take`` raises no ``NotRegistered``."""
    before = await written()
    for type_, id_ in (("Buyer", "maya"), ("Seller", "omar")):  # even one of the two
        socket = await connect(shop, type_, id_)
        for event in SAMPLES.keys() - {"register_user"}:
            ways = naming(event, names["message"], names["conversation"])
            for data in ways or [SAMPLES[event]]:
                assert (await socket.refusal(event, data))["code"] == "not_registered", event
        assert not await socket.heard_so_far()
    assert await written() == before


async def test_s3_whom_nobody_knows_gets_no_socket(shop, unknown, open_socket):
    """Refused before the upgrade, by whichever way the token is told. Fails when ``ChatSocket`` is
    public."""
    for kind, token in unknown.items():
        cookie = {"Cookie": f"shopbell_session={token}", "Origin": shop.url}
        for how in (
            {"headers": {"Authorization": f"Bearer {token}"}},
            {"subprotocols": spoken(token)},
            {"headers": cookie},
        ):
            status, error = await knock_at_socket(open_socket, shop, **how)
            assert (status, error["code"]) == (401, "unauthorized"), kind


# --- Ids in addresses -----------------------------------------------------------------------------

TRAVERSALS = ["..%2f..%2fetc%2fpasswd", "..%5c..", "%2e%2e%2f", "....//", "%00", "%ff", "~root"]
NO_NAMES = [*TRAVERSALS, "x" * 5_000, "../server.py", "../../etc/passwd", "js/../../server.py", ""]
FOLDERS = ["/static/{}", "/static/js/{}", "/chat/{}", "/widget/{}", "/inbox/{}", "/look/{}.css"]
FOLDERS += ["/look/{}/logo", "/assets/0123456789abcdef/{}", "/api/sellers/{}", "/api/messages/{}"]


async def test_c9_a_path_leads_nowhere_else(shop, names):
    """C9: ``..%2f`` in a path led Rocket.Chat's CVE-2026-56845 to another room's file.

    Fails when ``Assets`` decodes its path and takes any place for one of its own."""
    token = shop.token("Seller", "omar")
    for folder in FOLDERS:
        for text in NO_NAMES:
            answer = await call(shop, "GET", folder.format(text), token=token)
            is_default_look = folder == "/look/{}.css" and answer.status == 200
            assert 300 <= answer.status < 500 or is_default_look, (folder, text, answer.status)
            assert "root:" not in str(answer.body)
            assert "import" not in str(answer.body)
