from models import events
from tests.contract import OPERATORS


def typing_to(client, *, is_typing=True):
    return {"recipient_id": client.id, "recipient_type": client.type, "is_typing": is_typing}


async def test_typing_is_shown_on_all_sockets_of_the_recipient(server, join, maya, omar, lena):
    omar_too, maya_too = await join(server, "Seller", "omar"), await join(server, "Buyer", "maya")
    assert await maya.ask("typing", typing_to(omar)) == {}
    for client in (omar, omar_too):
        assert await client.hear("user_typing") == {
            "conversation_id": None,
            "sender_id": "maya",
            "sender_type": "Buyer",
            "sender_name": "Maya",
            "is_typing": True,
            "expires_in": 6,
        }
    for client in (maya, maya_too, lena):
        assert not await client.heard_so_far("user_typing")


async def test_from_the_first_message_on_typing_names_the_conversation(maya, omar):
    message = await maya.send(omar)
    await omar.ask("typing", typing_to(maya))
    told = await maya.hear("user_typing")
    assert (told["conversation_id"], told["sender_type"]) == (message["conversation_id"], "Seller")


async def test_typing_ends_when_the_typist_says_so(maya, omar):
    await maya.ask("typing", typing_to(omar))
    assert await maya.ask("typing", typing_to(omar, is_typing=False)) == {}
    await omar.hear("user_typing", is_typing=True)
    told = await omar.hear("user_typing", is_typing=False)
    assert (told["sender_id"], told["sender_type"]) == ("maya", "Buyer")


async def test_typing_ends_at_a_message_and_before_it_is_heard(maya, omar):
    await maya.ask("typing", typing_to(omar))
    await maya.send(omar)
    frames = await omar.heard_so_far("user_typing", "new_message")
    told = [frame["data"].get("is_typing", "message") for frame in frames]
    assert sorted(told, key=str) == [False, True, "message"]
    assert told[0] is True


async def test_typing_ends_with_the_last_socket_of_the_typist(
    server, join, maya, omar, monkeypatch
):
    monkeypatch.setattr("models.presence.TYPING_SECONDS", 60)
    maya_too = await join(server, "Buyer", "maya")
    await maya.ask("typing", typing_to(omar))
    await omar.hear("user_typing", is_typing=True)
    await maya.leave()
    assert not await omar.heard_so_far("user_typing")
    await maya_too.leave()
    assert (await omar.hear("user_typing"))["is_typing"] is False


async def test_typing_ends_by_itself(maya, omar, monkeypatch):
    assert events.TYPING_SECONDS == 6
    monkeypatch.setattr("models.presence.TYPING_SECONDS", 0.1)
    await maya.ask("typing", typing_to(omar))
    await omar.hear("user_typing", is_typing=True)
    await omar.hear("user_typing", is_typing=False)


async def test_more_typing_than_one_a_second_is_dropped_in_silence(serve, join):
    server = await serve()
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    for _ in range(5):
        assert await maya.ask("typing", typing_to(omar)) == {}
    assert len(await omar.heard_so_far("user_typing")) == 1
    await maya.ask("typing", typing_to(omar, is_typing=False))
    await omar.hear("user_typing", is_typing=False)


async def test_typing_is_refused_where_a_message_would_be(maya, omar, lena):
    for client, recipient, code in (
        (maya, lena, "forbidden"),
        (maya, maya, "invalid"),
        (omar, omar, "invalid"),
    ):
        assert (await client.refusal("typing", typing_to(recipient)))["code"] == code
    nobody = {"recipient_id": "nobody", "recipient_type": "Seller", "is_typing": True}
    assert (await maya.refusal("typing", nobody))["code"] == "not_found"
    assert not await lena.heard_so_far("user_typing")


async def test_a_wrong_field_is_named(maya, omar):
    good = typing_to(omar)
    for field, values in {
        "recipient_id": ["", "om ar", "x" * 65, 1, None, *OPERATORS],
        "recipient_type": ["", "seller", 1, None, *OPERATORS],
        "is_typing": ["", "true", 1, None, *OPERATORS],
    }.items():
        for value in values:
            error = await maya.refusal("typing", good | {field: value})
            assert (error["code"], error["field"]) == ("invalid", field), value
        rest = {key: good[key] for key in good if key != field}
        assert (await maya.refusal("typing", rest))["field"] == field
    assert not await omar.heard_so_far("user_typing")
