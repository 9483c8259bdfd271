import json

import pytest

from tests.contract import NOWHERE, OPERATORS

DEEP = 30_000  # twice that is a frame's limit

NO_OBJECTS = {
    "nothing": "",
    "no JSON": "hello",
    "half an object": '{"event":"update_status"',
    "two objects": "{}{}",
    "a number": "1",
    "a string": '"update_status"',
    "null": "null",
    "an empty array": "[]",
    "an array of events": '[{"event":"update_status","data":{"status":"away"}}]',
    "an empty object": "{}",
    "no event": '{"data":{"status":"away"}}',
    "a number for an event": '{"event":1}',
    "null for an event": '{"event":null}',
    "an array for an event": '{"event":["update_status"]}',
    "an object for an event": '{"event":{"$ne":null}}',
    "NaN": '{"event":"update_status","data":{"status":NaN}}',
    "infinity": '{"event":"update_status","data":{"status":-Infinity}}',
    "a comment": '{"event":"update_status"} // hello',
    "single quotes": "{'event':'update_status'}",
    "deep arrays": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "open arrays": "[" * DEEP,
    "deep data": f'{{"event":"update_status","data":{"[" * DEEP + "]" * DEEP}}}',
}


async def test_what_is_no_event_is_a_bad_request_and_ends_nothing(server, maya, omar):
    for kind, frame in NO_OBJECTS.items():
        await maya.write(frame)
        assert (await maya.error())["code"] == "bad_request", kind
        assert not await maya.heard_so_far("ack", "error"), kind
        assert await maya.send(omar) == await omar.hear("new_message"), kind


async def test_an_unknown_event_is_a_bad_request(maya):
    for event in ("", "new_message", "send_message ", "Send_Message", "__class__", "x" * 1000):
        assert (await maya.refusal(event))["code"] == "bad_request"


async def test_data_that_is_no_object_is_refused(maya):
    for data in ("[]", '"away"', "1", "null", "true", '[{"status":"away"}]'):
        await maya.write(f'{{"event":"update_status","id":1,"data":{data}}}')
        frame = await maya.hear_answer(1)
        assert frame["event"] == "error"
        assert frame["data"]["code"] in {"bad_request", "invalid"}
    assert (await maya.refusal("update_status"))["code"] == "invalid"


# --- Ids ------------------------------------------------------------------------------------------


async def test_one_answer_bears_the_id_as_it_was_given(maya):
    for frame_id in (0, 7, -1, 1.5, 2**53, "", "a", "x" * 64, "ü🛎"):
        await maya.tell("update_status", {"status": "online"}, id=frame_id)
        answer = await maya.hear_answer(frame_id)
        assert answer == {"event": "ack", "id": frame_id, "data": {"status": "online"}}
        await maya.tell("update_status", {"status": "busy"}, id=frame_id)
        assert (await maya.hear_answer(frame_id))["data"]["code"] == "invalid"
    assert not await maya.heard_so_far("ack", "error")


async def test_an_id_of_another_kind_is_a_bad_request(maya):
    for frame_id in (True, [], {}, [1], {"$ne": None}, "x" * 65):
        await maya.tell("update_status", {"status": "away"}, id=frame_id)
        assert (await maya.error())["code"] == "bad_request", frame_id
    assert not await maya.heard_so_far("ack", "error")


async def test_without_an_id_there_is_no_answer(maya):
    await maya.write('{"event":"update_status","data":{"status":"online"}}')
    await maya.write('{"event":"update_status","data":{"status":"online"},"id":null}')
    assert not await maya.heard_so_far("ack", "error")


@pytest.mark.parametrize("frame_id", ["1e999", "1" * 400, "-" + "9" * 5_000, r'"\ud800"', "1e-999"])
async def test_an_id_beyond_all_numbers_is_answered_once(maya, frame_id):
    await maya.write(f'{{"event":"update_status","data":{{"status":"away"}},"id":{frame_id}}}')
    await maya.heard_so_far()
    answers = [frame for frame in maya.heard if frame["event"] in {"ack", "error"}]
    assert len(answers) == 1
    assert answers[0]["event"] == "ack" or answers[0]["data"]["code"] == "bad_request"


# --- Fields ---------------------------------------------------------------------------------------


def valid(room, message):
    """For each event data that would be taken."""
    omar = {"recipient_id": "omar", "recipient_type": "Seller"}
    return {
        "register_user": {
            "user_id": "maya",
            "user_type": "Buyer",
            "seller_id": "omar",
            "epoch": "1",
            "since": {room: 1},
        },
        "send_message": {
            **omar,
            "message": "Hello",
            "subject": "A mug",
            "message_type": "product",
            "client_id": "c1",
            "sender_id": "maya",
            "sender_type": "Buyer",
        },
        "typing": {**omar, "is_typing": True},
        "mark_as_delivered": {"conversation_id": room, "seq": 1},
        "mark_as_read": {"conversation_id": room, "seq": 1, "message_id": message},
        "join_room": {"room": room},
        "leave_room": {"room": room},
        "update_context": {
            "url": "https://shop.example/",
            "title": "A mug",
            "language": "en",
            "time_zone": "Europe/Berlin",
            "product": {"name": "A mug", "url": "https://shop.example/"},
        },
        "update_status": {"status": "away"},
    }


EVENTS = valid(NOWHERE, NOWHERE)
FIELDS = [(event, field) for event, data in EVENTS.items() for field in data]
# Written as they stand, as Python's own JSON would not make them.
HOSTILE = ["NaN", "1e999", r'"\ud800"', "9" * 400, r'"\u0000"', "-0.0", '{"__proto__":{"a":1}}']


async def test_operators_are_refused_in_every_field_of_every_event(maya, omar):
    message = await omar.send(maya)
    await maya.hear("new_message")
    omar.heard.clear()
    events = valid(message["conversation_id"], message["id"])
    for event, field in FIELDS:
        for value in OPERATORS:
            if field == "since" and value in ({}, {"a.b": 1}):
                continue  # others' conversations are passed over without a word
            error = await maya.refusal(event, events[event] | {field: value})
            assert error["code"] == "invalid", (event, field, value)
            assert error["field"].startswith(field), (event, field, value)
    assert not await omar.heard_so_far()
    assert (await maya.ask("register_user"))["unread"] == 1


async def test_hostile_values_get_one_honest_answer_in_every_field(maya, omar):
    message = await omar.send(maya)
    events = valid(message["conversation_id"], message["id"])
    for event, field in FIELDS:
        for value in HOSTILE:
            data = json.dumps(events[event] | {field: "@"}).replace('"@"', value)
            await maya.write(f'{{"event":"{event}","data":{data}}}')
            for frame in await maya.heard_so_far("error"):
                assert frame["data"]["code"] in {"bad_request", "invalid", "forbidden"}, frame
                maya.heard.remove(frame)
    assert (await maya.send(omar))["sender_id"] == "maya"


async def test_unknown_keys_are_ignored_in_every_event(maya, omar):
    message = await omar.send(maya)
    events = valid(message["conversation_id"], message["id"])
    unknown = {"nonsense": [1, {"a": None}], "$where": "1", "__proto__": {"x": 1}, "": "", "a.b": 1}
    for event, data in events.items():
        await maya.ask(event, data | unknown)
    await maya.tell("update_status", {"status": "online"}, id="x", more={"status": "offline"})
    assert (await maya.hear_answer("x"))["data"] == {"status": "online"}


async def test_of_doubled_keys_the_last_one_counts(maya):
    await maya.write(
        '{"event":"leave_room","event":"update_status","id":1,"id":2,'
        '"data":{"status":"away"},"data":{"status":"offline","status":"online"}}'
    )
    answer = await maya.hear_answer(2)
    assert answer["data"] == {"status": "online"}
    assert not await maya.heard_so_far("ack", "error")


async def test_deep_unknown_keys_end_nothing(maya, omar):
    deep = "[" * DEEP + "]" * DEEP
    await maya.write(f'{{"event":"update_status","data":{{"status":"away","x":{deep}}}}}')
    await maya.write(f'{{"event":"update_status","data":{{"status":{deep}}}}}')
    await maya.write(f'{{"event":"update_status","data":{{"status":"away"}},"x":{deep}}}')
    for frame in await maya.heard_so_far("error"):
        assert frame["data"]["code"] in {"bad_request", "invalid"}
    await maya.send(omar)
