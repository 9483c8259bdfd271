import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from models import events
from models.codec import (
    FrameRefused,
    command_for,
    convert,
    decode,
    decode_frame,
    encode_ack,
    encode_error,
    encode_event,
    error_data,
    from_texts,
)
from models.errors import BadRequest, ChatError, Invalid, RateLimited
from models.events import (
    COMMANDS,
    EVENTS,
    FRAME_ID_LENGTH,
    ConversationQuery,
    MarkAsDelivered,
    RegisterUser,
    SendMessage,
)

CONVERSATION = "65a1b2c3d4e5f60718293a4b"
TO_OMAR = {"recipient_id": "omar", "recipient_type": "Seller", "message": "Hello"}


def data(**values):
    return json.dumps(values).encode()


def refused_id(text):
    with pytest.raises(FrameRefused) as refusal:
        decode_frame(text)
    assert refusal.value.error.code == "bad_request"
    return refusal.value.frame_id


def invalid_field(text, struct=SendMessage):
    with pytest.raises(Invalid) as refusal:
        decode(text, struct)
    assert refusal.value.field
    assert refusal.value.field in refusal.value.message
    return refusal.value.field


# --- Frames -------------------------------------------------------------------------------------


def test_a_frame_is_taken_apart_but_its_data_is_left_for_later():
    frame = decode_frame('{"event": "typing", "data": {"is_typing": true}, "id": 7, "more": 1}')
    assert (frame.event, frame.id, bytes(frame.data)) == ("typing", 7, b'{"is_typing": true}')


def test_data_and_id_may_be_left_out():
    frame = decode_frame('{"event": "typing"}')
    assert (frame.id, bytes(frame.data)) == (None, b"{}")


@pytest.mark.parametrize(
    "frame_id", [0, -1, 0.5, 2**53, 2**64, "", "a", "a\nb", "\x00", "é😀", "x" * FRAME_ID_LENGTH]
)
def test_an_id_comes_back_as_it_came(frame_id):
    frame = decode_frame(json.dumps({"event": "typing", "id": frame_id}))
    answer = json.loads(encode_error(frame.id, error_data(BadRequest("No."))))
    assert answer["id"] == frame_id


NO_FRAMES = [
    *("", "nonsense", "{}", "[]", "null", "7", '"typing"', "NaN", "[" * 60_000, "\ufeff{}"),
    *('{"event": 7}', '{"event": null}', '{"event": "a"} x', '{"event": "a", "id": 1,}'),
    *('{"event": "a", "data": ' + "[" * 60_000, b'{"event": "\xff"}', b"\xff\xfe", b"\x00"),
]


@pytest.mark.parametrize("text", NO_FRAMES, ids=lambda text: repr(text[:30]))
def test_what_is_no_frame_is_refused_in_words(text):
    assert refused_id(text) is None


NO_IDS = [
    *("true", "[]", "{}", "1e400", "NaN", "Infinity", '"\\ud800"', "9" * 60_000),
    json.dumps("x" * (FRAME_ID_LENGTH + 1)),
]


@pytest.mark.parametrize("frame_id", NO_IDS, ids=lambda text: text[:20])
def test_an_impossible_id_is_refused_and_not_repeated(frame_id):
    assert refused_id(f'{{"event": "typing", "id": {frame_id}}}') is None
    assert refused_id(f'{{"event": 7, "id": {frame_id}}}') is None


@pytest.mark.parametrize("frame_id", [3, 2.5, 2**70, -(2**63) - 1, "a", "é😀", "two\nlines", None])
def test_a_refused_frame_still_tells_its_id(frame_id):
    assert refused_id(json.dumps({"event": 7, "id": frame_id})) == frame_id
    assert refused_id(json.dumps({"id": frame_id})) == frame_id


@given(st.one_of(st.text(max_size=80), st.binary(max_size=80)))
def test_no_input_does_worse_than_a_refusal(text):
    try:
        frame = decode_frame(text)
    except FrameRefused as refusal:
        encode_error(refusal.frame_id, error_data(refusal.error))
    else:
        encode_error(frame.id, error_data(BadRequest("No.")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
NAMES = sorted({field for row in COMMANDS.values() for field in row.data.__struct_fields__})


@given(
    event=st.one_of(st.sampled_from(sorted(COMMANDS)), JSON),
    values=st.one_of(JSON, st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5)),
    frame_id=JSON,
)
def test_no_json_does_worse_than_a_refusal(event, values, frame_id):
    text = json.dumps({"event": event, "data": values, "id": frame_id})
    try:
        frame = decode_frame(text)
    except FrameRefused as refusal:
        encode_error(refusal.frame_id, error_data(refusal.error))
        return
    try:
        command = decode(frame.data, command_for(frame).data)
    except ChatError as error:
        answer = json.loads(encode_error(frame.id, error_data(error)))
        assert answer["data"]["code"] in {"bad_request", "invalid"}
    else:
        assert isinstance(command, Struct)


def test_an_unknown_event_is_a_bad_request():
    with pytest.raises(BadRequest):
        command_for(decode_frame('{"event": "new_message"}'))


def test_every_event_has_a_row_and_every_row_another_name():
    assert len(set(EVENTS.values())) == len(EVENTS)
    assert not set(EVENTS.values()) & set(COMMANDS)
    for name in COMMANDS:
        assert command_for(decode_frame(json.dumps({"event": name}))) is COMMANDS[name]


# --- Data ---------------------------------------------------------------------------------------


def test_a_message_needs_a_recipient_and_a_text_only():
    command = decode(data(**TO_OMAR), SendMessage)
    assert (command.recipient_id, command.message, command.message_type) == (
        "omar",
        "Hello",
        "general",
    )
    assert command.client_id is None


@pytest.mark.parametrize("missing", TO_OMAR)
def test_a_missing_field_is_named(missing):
    rest = {name: value for name, value in TO_OMAR.items() if name != missing}
    assert invalid_field(data(**rest)) == missing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient_id", ""),
        ("recipient_id", "a b"),
        ("recipient_id", "omar\n"),
        ("recipient_id", "ómar"),
        ("recipient_id", "o" * 65),
        ("recipient_id", 7),
        ("recipient_id", {"$ne": None}),
        ("recipient_id", ["omar"]),
        ("recipient_id", None),
        ("recipient_type", "seller"),
        ("recipient_type", "Admin"),
        ("message", None),
        ("message", 7),
        ("subject", 7),
        ("message_type", "system"),
        ("message_type", ""),
        ("client_id", ""),
        ("client_id", "c" * 65),
        ("client_id", "two\nlines"),
        ("client_id", "nul\x00"),
        ("client_id", 7),
        ("sender_id", "a/b"),
        ("sender_type", "System"),
    ],
)
def test_a_wrong_field_is_named(field, value):
    assert invalid_field(data(**{**TO_OMAR, field: value})) == field


@pytest.mark.parametrize("seq", [0, -1, 1.5, True, "1", None, [1]])
def test_a_seq_is_a_whole_number_from_one(seq):
    assert invalid_field(data(conversation_id=CONVERSATION, seq=seq), MarkAsDelivered) == "seq"


@pytest.mark.parametrize(
    "id_", ["", CONVERSATION[1:], CONVERSATION + "0", CONVERSATION.upper(), CONVERSATION + "\n"]
)
def test_a_conversations_id_is_24_small_hexadecimal_digits(id_):
    assert invalid_field(data(conversation_id=id_, seq=1), MarkAsDelivered) == "conversation_id"


@pytest.mark.parametrize("since", [[1], {"a": -1}, {"a": 1.5}, {"a": None}, "a"])
def test_a_field_within_a_field_is_named_from_the_outside(since):
    assert invalid_field(data(since=since), RegisterUser).startswith("since")


@pytest.mark.parametrize("text", [b"null", b"[]", b"7", b'"a"'])
def test_data_that_is_no_object_is_named_as_a_whole(text):
    assert invalid_field(text) == "data"


@pytest.mark.parametrize("text", [b"", b"{", b'{"message": "\\ud800"}', b"\xff", b'{"a":' * 10_000])
def test_data_that_is_no_json_is_a_bad_request(text):
    with pytest.raises(BadRequest):
        decode(text, SendMessage)


def test_of_two_keys_alike_the_last_one_counts():
    text = b'{"recipient_id": "lena", "message": "a", "recipient_type": "Seller", "message": "b"}'
    assert decode(text, SendMessage).message == "b"


def test_what_is_the_servers_to_say_is_ignored():
    claimed = {"seq": 7, "status": "read", "created_at": "2000-01-01T00:00:00.000Z", "verified": 1}
    assert decode(data(**TO_OMAR, **claimed), SendMessage) == decode(data(**TO_OMAR), SendMessage)


def test_digits_in_an_address_are_numbers():
    assert from_texts({"before": "17"}, ConversationQuery).before == 17
    assert from_texts({}, ConversationQuery) == ConversationQuery()


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "1.0", "1e1", "ten", "", "9" * 5000])
def test_a_limit_out_of_bounds_is_invalid(limit):
    with pytest.raises(Invalid) as refusal:
        from_texts({"limit": limit}, ConversationQuery)
    assert refusal.value.field == "limit"


@pytest.mark.parametrize(
    ("struct", "values", "sentence"),
    [
        (ConversationQuery, {"limit": 0}, "limit must be at least 1."),
        (ConversationQuery, {"limit": 101}, "limit must be at most 100."),
        (ConversationQuery, {"limit": "ten"}, "limit must be a whole number."),
        (SendMessage, {**TO_OMAR, "message": 7}, "message must be a text."),
        (SendMessage, {**TO_OMAR, "subject": 7}, "subject must be a text."),
        (SendMessage, {**TO_OMAR, "client_id": ""}, "client_id may not be empty."),
        (
            SendMessage,
            {**TO_OMAR, "client_id": "c" * 65},
            "client_id must have at most 64 characters.",
        ),
        (
            SendMessage,
            {**TO_OMAR, "sender_id": "a b"},
            "sender_id has characters that are not possible here.",
        ),
        (
            SendMessage,
            {**TO_OMAR, "message_type": "shout"},
            "message_type is none of the words that are known here.",
        ),
        (RegisterUser, {"since": []}, "since must be an object."),
    ],
)
def test_a_refusal_is_in_plain_words(struct, values, sentence):
    with pytest.raises(Invalid) as refusal:
        convert(values, struct)
    assert refusal.value.message == sentence


# --- Answers ------------------------------------------------------------------------------------


def test_an_event_bears_its_name_from_the_table():
    frame = json.loads(encode_event(events.Reset(CONVERSATION)))
    assert frame == {"event": "reset", "data": {"conversation_id": CONVERSATION}}


def test_an_ack_bears_the_id_it_answers():
    frame = json.loads(encode_ack("a", events.Left(CONVERSATION)))
    assert frame == {"event": "ack", "id": "a", "data": {"room": CONVERSATION}}


def test_an_error_tells_only_what_there_is_to_tell():
    plain = json.loads(encode_error(None, error_data(BadRequest("No."))))
    assert plain == {
        "event": "error",
        "id": None,
        "data": {"code": "bad_request", "message": "No."},
    }
    limited = json.loads(encode_error(1, error_data(RateLimited("Slowly.", retry_after=1.5))))
    assert limited["data"]["retry_after"] == 1.5
    invalid = json.loads(encode_error(1, error_data(Invalid("No.", field="seq"))))
    assert invalid["data"]["field"] == "seq"
