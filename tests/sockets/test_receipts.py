import pytest

from tests.caller import call
from tests.contract import MOMENT, NOWHERE, OPERATORS

MARKS = {"mark_as_delivered": "delivered_seq", "mark_as_read": "read_seq"}


async def stored(server, message):
    """A message as it stands now, for its sender Omar."""
    token = server.token("Seller", "omar")
    answer = await call(server, "GET", f"/api/messages/{message['id']}", token=token)
    return answer.body["message"]


# --- Delivered ------------------------------------------------------------------------------------


async def test_a_confirmed_delivery_is_told_to_the_sender(server, join, maya, omar):
    maya_too = await join(server, "Buyer", "maya")
    message = [await omar.send(maya), await omar.send(maya)][1]
    place = {"conversation_id": message["conversation_id"], "seq": 2}
    ack = await maya.ask("mark_as_delivered", place)
    assert ack == {"conversation_id": message["conversation_id"], "delivered_seq": 2}
    told = await omar.hear("message_delivered")
    assert MOMENT.fullmatch(told.pop("delivered_at"))
    reader = {"user_id": "maya", "user_type": "Buyer"}
    assert told == {**place, **reader, "message_id": message["id"]}
    updated = await omar.hear("message_updated")
    assert updated == {**place, "message_id": message["id"], "changes": {"status": "delivered"}}
    for client in (maya, maya_too):
        assert not await client.heard_so_far("message_delivered", "message_updated")
    now = await stored(server, message)
    assert (now["status"], now["read_at"]) == ("delivered", None)
    assert MOMENT.fullmatch(now["delivered_at"])


# --- Read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["message_id", "seq"])
async def test_reading_is_told_to_the_sender_and_to_the_readers_other_sockets(
    server, join, maya, omar, by
):
    maya_too = await join(server, "Buyer", "maya")
    first, second, _ = await omar.send_many(maya, ["One", "Two", "Three"])
    place = {"conversation_id": second["conversation_id"], "seq": 2}
    ack = await maya.ask("mark_as_read", {"message_id": second["id"]} if by[0] == "m" else place)
    assert ack == {"conversation_id": place["conversation_id"], "read_seq": 2, "unread": 1}
    for client in (omar, maya_too):
        told = await client.hear("message_read")
        assert MOMENT.fullmatch(told.pop("read_at"))
        reader = {"user_id": "maya", "user_type": "Buyer"}
        assert told == {**place, **reader, "message_id": second["id"]}
    updated = await omar.hear("message_updated")
    assert updated == {**place, "message_id": second["id"], "changes": {"status": "read"}}
    assert not await maya.heard_so_far("message_read", "message_updated")
    now = await stored(server, first)
    assert now["status"] == "read"
    assert MOMENT.fullmatch(now["delivered_at"])
    assert MOMENT.fullmatch(now["read_at"])


async def test_by_writing_one_has_read_all_before(server, join, maya, omar):
    maya_too = await join(server, "Buyer", "maya")
    _, second = await omar.send_many(maya, ["One", "Two"])
    await maya.send(omar, "An answer")
    for client in (omar, maya_too):
        told = await client.hear("message_read", user_id="maya")
        assert (told["seq"], told["message_id"]) == (2, second["id"])
    assert (await stored(server, second))["status"] == "read"
    assert (await maya.ask("register_user"))["unread"] == 0


# --- Watermarks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("event", "watermark"), MARKS.items())
async def test_a_watermark_only_grows_and_is_told_once(maya, omar, event, watermark):
    messages = await omar.send_many(maya, ["One", "Two", "Three"])
    place = {"conversation_id": messages[0]["conversation_id"]}
    for seq, reached in ((2, 2), (1, 2), (2, 2), (3, 3), (3, 3)):
        assert (await maya.ask(event, {**place, "seq": seq}))[watermark] == reached
    told = await omar.heard_so_far("message_delivered", "message_read")
    assert [frame["data"]["seq"] for frame in told] == [2, 3]
    updated = await omar.heard_so_far("message_updated")
    assert [frame["data"]["seq"] for frame in updated] == [2, 3]


@pytest.mark.parametrize(("event", "watermark"), MARKS.items())
async def test_a_seq_past_the_last_counts_as_the_last(maya, omar, event, watermark):
    _, last = await omar.send_many(maya, ["One", "Two"])
    for seq in (1000, 2**63, 10**30):
        place = {"conversation_id": last["conversation_id"], "seq": seq}
        assert (await maya.ask(event, place))[watermark] == 2
    await omar.send(maya, "Three")
    told = await omar.heard_so_far("message_delivered", "message_read")
    assert [frame["data"]["seq"] for frame in told] == [2]
    assert (await maya.ask("register_user"))["conversations"][0]["last_seq"] == 3


async def test_what_was_read_does_not_become_delivered_again(server, maya, omar):
    message = await omar.send(maya)
    await maya.ask("mark_as_read", {"message_id": message["id"]})
    place = {"conversation_id": message["conversation_id"], "seq": 1}
    assert (await maya.ask("mark_as_delivered", place))["delivered_seq"] == 1
    assert (await stored(server, message))["status"] == "read"
    updated = await omar.heard_so_far("message_updated")
    assert [frame["data"]["changes"] for frame in updated] == [{"status": "read"}]


async def test_receipts_outlive_the_server(serve, join):
    before = await serve(rate_limits="off")
    maya, omar = await join(before, "Buyer", "maya"), await join(before, "Seller", "omar")
    messages = await omar.send_many(maya, ["One", "Two", "Three"])
    place = {"conversation_id": messages[0]["conversation_id"]}
    await maya.ask("mark_as_delivered", {**place, "seq": 2})
    await maya.ask("mark_as_read", {**place, "seq": 1})
    after = await serve(rate_limits="off")
    now = [(await stored(after, message))["status"] for message in messages]
    assert now == ["read", "delivered", "sent"]


# --- Refusals -------------------------------------------------------------------------------------


async def test_ones_own_message_is_read_by_others(maya, omar):
    message = await maya.send(omar)
    error = await maya.refusal("mark_as_read", {"message_id": message["id"]})
    assert error["code"] == "forbidden"
    assert not await omar.heard_so_far("message_read", "message_updated")


async def test_a_strangers_receipts_are_refused_as_if_nothing_were_there(maya, omar, lena):
    message = await omar.send(maya)
    place = {"conversation_id": message["conversation_id"], "seq": 1}
    nowhere = {"conversation_id": NOWHERE, "seq": 1}
    for event, theirs, missing in (
        ("mark_as_delivered", place, nowhere),
        ("mark_as_read", place, nowhere),
        ("mark_as_read", {"message_id": message["id"]}, {"message_id": NOWHERE}),
    ):
        refused = await lena.refusal(event, theirs)
        assert refused["code"] == "forbidden"
        assert refused == await lena.refusal(event, missing)
    assert not await omar.heard_so_far("message_delivered", "message_read", "message_updated")
    assert (await maya.ask("register_user"))["unread"] == 1


@pytest.mark.parametrize("event", MARKS)
async def test_a_wrong_field_of_a_receipt_is_named(maya, omar, event):
    place = {"conversation_id": (await omar.send(maya))["conversation_id"], "seq": 1}
    wrong = [("conversation_id", value) for value in ("", "x" * 24, 1, *OPERATORS)]
    wrong += [("seq", value) for value in (0, -1, 1.5, "1", True, *OPERATORS)]
    if event == "mark_as_read":
        wrong += [("message_id", value) for value in ("", "x" * 24, 1, *OPERATORS)]
    for field, value in wrong:
        error = await maya.refusal(event, place | {field: value})
        assert (error["code"], error.get("field")) == ("invalid", field), value
    for field in place:
        error = await maya.refusal(event, {key: place[key] for key in place if key != field})
        assert error["code"] == "invalid"
    assert not await omar.heard_so_far("message_delivered", "message_read", "message_updated")
