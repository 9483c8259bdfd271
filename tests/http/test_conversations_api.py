from datetime import UTC, datetime, timedelta

import pytest

from models.timesheet import Day, Timesheet
from tests.caller import call
from tests.contract import MOMENT, check_conversation, place

LIST = "/api/conversations"
PASSWORD = "correct horse battery"


@pytest.fixture
async def shop(server):
    """A server that knows the seller Omar."""
    await server.shop.accounts.add_seller("omar", "Omar", "omar@shop.example", PASSWORD)
    return server


async def write(server, sender, recipient, message="Hello"):
    """One message, by the names of its two sides; only Omar sells."""
    types = {name: "Seller" if name == "omar" else "Buyer" for name in (sender, recipient)}
    body = {"recipient_id": recipient, "recipient_type": types[recipient], "message": message}
    token = server.token(types[sender], sender)
    answer = await call(server, "POST", "/api/messages/send", body, token=token)
    assert answer.status == 201, answer.body
    return answer.body["message"]


async def listed(server, query="", who=("Seller", "omar")):
    answer = await call(server, "GET", LIST + query, token=server.token(*who))
    assert answer.status == 200, answer.body
    assert answer.body.keys() == {"conversations", "next"}
    return answer.body


def buyers(page):
    return [
        person["id"]
        for conversation in page["conversations"]
        for person in conversation["participants"]
        if person["type"] == "Buyer"
    ]


async def test_conversations_come_newest_first_as_each_side_sees_them(shop):
    for buyer in ("maya", "lena", "noor"):
        last = await write(shop, buyer, "omar")
    last = await write(shop, "maya", "omar", "Are you there?")
    page = await listed(shop)
    assert (buyers(page), page["next"]) == (["maya", "noor", "lena"], None)
    for conversation in page["conversations"]:
        check_conversation(conversation)
    newest = page["conversations"][0]
    assert newest["last_message"] == last
    assert [c["unread"] for c in page["conversations"]] == [2, 1, 1]
    [mine] = (await listed(shop, who=("Buyer", "maya")))["conversations"]
    assert (mine["id"], mine["unread"]) == (newest["id"], 0)
    assert [place(mine, id_)["read_seq"] for id_ in ("maya", "omar")] == [2, 0]
    assert [place(mine, id_)["verified"] for id_ in ("maya", "omar")] == [True, True]


async def test_the_unread_ones_can_be_asked_for(shop):
    messages = {buyer: await write(shop, buyer, "omar") for buyer in ("maya", "lena", "noor")}
    path = f"/api/messages/{messages['lena']['id']}/read"
    await call(shop, "PUT", path, token=shop.token("Seller", "omar"))
    assert buyers(await listed(shop, "?filter=unread")) == ["noor", "maya"]
    assert buyers(await listed(shop, "?filter=all")) == ["noor", "lena", "maya"]
    assert (await listed(shop, "?filter=unread", ("Buyer", "maya")))["conversations"] == []


async def test_they_can_be_asked_for_by_name(shop):
    messages = {buyer: await write(shop, buyer, "omar") for buyer in ("maya", "marta", "noor")}
    assert buyers(await listed(shop, "?name=MA")) == ["marta", "maya"]
    first = await listed(shop, "?name=ma&limit=1")
    assert buyers(first) == ["marta"]
    rest = await listed(shop, f"?name=ma&limit=1&before={first['next']}")
    assert (buyers(rest), rest["next"]) == (["maya"], None)
    path = f"/api/messages/{messages['maya']['id']}/read"
    await call(shop, "PUT", path, token=shop.token("Seller", "omar"))
    assert buyers(await listed(shop, "?name=ma&filter=unread")) == ["marta"]
    assert buyers(await listed(shop, "?name=nobody")) == []
    assert buyers(await listed(shop, "?name=")) == ["noor", "marta", "maya"]
    refused = await call(shop, "GET", f"{LIST}?name={'n' * 81}", token=shop.token("Seller", "omar"))
    assert (refused.status, refused.body["error"]["field"]) == (400, "name")


@pytest.mark.parametrize("filter_", ["", "&filter=unread"])
async def test_pages_lose_and_repeat_nothing(shop, filter_):
    names = [f"b{number}" for number in range(45)]
    for name in names:
        await write(shop, name, "omar")
    found, cursor = [], ""
    while cursor is not None:
        page = await listed(shop, f"?limit=7{filter_}{cursor and f'&before={cursor}'}")
        assert len(page["conversations"]) <= 7
        found += buyers(page)
        cursor = page["next"]
    assert found == names[::-1]


async def test_thirty_come_where_no_limit_is_given(shop):
    for number in range(31):
        await write(shop, f"b{number}", "omar")
    page = await listed(shop)
    assert len(page["conversations"]) == 30
    assert page["next"] is not None


async def test_a_stranger_has_no_conversations(shop):
    await write(shop, "maya", "omar")
    for who in (("Buyer", "lena"), ("Seller", "vera"), ("Buyer", "omar"), ("Seller", "maya")):
        assert await listed(shop, who=who) == {"conversations": [], "next": None}


async def test_a_wrong_query_is_invalid_and_named(shop):
    await write(shop, "maya", "omar")
    for field, values in {
        "limit": ("0", "101", "x", ""),
        "filter": ("", "archived", "unread%20", '{"$ne":null}'.replace('"', "%22")),
        "before": ("x", "1", "AAAA"),
    }.items():
        for value in values:
            token = shop.token("Seller", "omar")
            answer = await call(shop, "GET", f"{LIST}?{field}={value}", token=token)
            assert answer.refusal == (400, "invalid"), (field, value)
            assert answer.body["error"]["field"] == field


async def test_a_seller_is_shown_to_everybody_and_no_more_than_that(shop, open_socket):
    answer = await call(shop, "GET", "/api/sellers/omar")
    assert answer.status == 200
    assert answer.body == {
        "seller": {
            "id": "omar",
            "type": "Seller",
            "name": "Omar",
            "status": "offline",
            "last_seen": answer.body["seller"]["last_seen"],
        },
        "availability": {"replies_in": None, "back_at": None},
    }
    protocols = ["shopbell.v1", f"bearer.{shop.token('Seller', 'omar', 'Omar')}"]
    socket = await open_socket(f"{shop.url}/ws", subprotocols=protocols)
    await socket.write_message('{"event":"register_user","data":{},"id":1}')
    await socket.read_message()
    seller = (await call(shop, "GET", "/api/sellers/omar")).body["seller"]
    assert seller["status"] == "online"
    assert seller["last_seen"] is None or MOMENT.fullmatch(seller["last_seen"])


async def test_how_available_a_seller_is_everybody_may_know(shop):
    for number in range(5):
        await write(shop, "maya", "omar", f"{number}?")
        await write(shop, "omar", "maya", f"{number}.")
    today = datetime.now(UTC).date()
    week = {today - timedelta(days=n): Day(hours=2**24 - 1) for n in range(1, 8)}
    await shop.shop.store.write_timesheet("Seller:omar", Timesheet(week))
    availability = (await call(shop, "GET", "/api/sellers/omar")).body["availability"]
    assert availability["replies_in"] == 60
    assert availability["back_at"].endswith(":00:00.000Z")
    assert MOMENT.fullmatch(availability["back_at"])


async def test_nobody_else_is_shown_to_everybody(shop):
    await write(shop, "maya", "omar")
    for id_ in ("maya", "nobody", "x" * 65, "..", "%24ne", "omar%0A", "Seller:omar"):
        answer = await call(shop, "GET", f"/api/sellers/{id_}")
        assert answer.refusal == (404, "not_found"), id_
