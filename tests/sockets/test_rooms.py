from tests.contract import NOWHERE, OPERATORS, check_conversation


async def test_joining_shows_the_conversation(maya, omar):
    message = await maya.send(omar)
    room = message["conversation_id"]
    joined = await omar.ask("join_room", {"room": room})
    assert joined.keys() == {"room", "conversation"}
    assert joined["room"] == joined["conversation"]["id"] == room
    check_conversation(joined["conversation"])
    assert joined["conversation"]["unread"] == 1
    assert joined["conversation"]["last_message"] == message


async def test_leaving_answers_the_room(maya, omar):
    room = (await maya.send(omar))["conversation_id"]
    await omar.ask("join_room", {"room": room})
    assert await omar.ask("leave_room", {"room": room}) == {"room": room}
    await maya.send(omar)
    await omar.hear("new_message", seq=2)


async def test_a_stranger_is_refused_whether_or_not_the_room_exists(maya, omar, lena):
    room = (await maya.send(omar))["conversation_id"]
    for event in ("join_room", "leave_room"):
        refused = await lena.refusal(event, {"room": room})
        assert refused["code"] == "forbidden"
        assert refused == await lena.refusal(event, {"room": NOWHERE})
    await maya.send(omar)
    assert not await lena.heard_so_far()


async def test_a_wrong_room_is_invalid(maya):
    for event in ("join_room", "leave_room"):
        for value in ("", "lobby", "X" * 24, NOWHERE + "\n", NOWHERE + "0", 1, None, *OPERATORS):
            error = await maya.refusal(event, {"room": value})
            assert (error["code"], error["field"]) == ("invalid", "room"), value
        assert (await maya.refusal(event))["field"] == "room"
