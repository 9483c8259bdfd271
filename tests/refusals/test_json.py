"""S36, S37, S38: JSON bombs, regular expressions on hostile text, and lists without an end."""

import ast
import json
import re
import time
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import get_args, get_type_hints
from unittest.mock import Mock
from urllib.parse import quote

import pytest

from models import codec, events
from models.chat import CONVERSATIONS_SHOWN, FRAME_BYTES
from models.errors import BadRequest, Invalid
from tests.caller import call
from tests.refusals.raw import TEXT, frame, upgraded

ROOT = Path(__file__).parents[2]
PROGRAM = [ROOT / "server.py", *ROOT.glob("handlers/*.py"), *ROOT.glob("models/*.py")]
SEND = "/api/messages/send"
JSON = {"Content-Type": "application/json"}
DEEP = FRAME_BYTES // 2 - 100

# --- Bombs ----------------------------------------------------------------------------------------

NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000, "-" + "9" * 60_000]
NUMBERS += ["1" + "0" * 400 + ".5", "1e-99999999", "0x10", "01", "+1", ".5", "1_000"]
STRINGS = [rb'"\ud800"', rb'"\udc00\ud800"', rb'"\x41"', b'"\xff"', b'"\xed\xa0\x80"']
BOMBS = {
    "arrays": b"[" * FRAME_BYTES,
    "closed arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * 10_000,
    "closed objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "arrays in the data": b'{"event":"typing","data":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "arrays before the id": b'{"x":' + b"[" * DEEP + b"]" * DEEP + b',"id":1}',
    **{f"the number {n[:12]}": b'{"event":"typing","data":{"a":%b}' % n.encode() for n in NUMBERS},
    **{f"the string {text!r}": b'{"event":%b}' % text for text in STRINGS},
    "a mark of the byte order": b'\xef\xbb\xbf{"event":"typing"}',
    "UTF-16": '{"event":"typing"}'.encode("utf-16"),
    "a NUL": b'{"event":"typing"}\0',
}


def refused(data):
    """What the decoder of frames says of these bytes."""
    with pytest.raises(codec.FrameRefused) as refusal:
        codec.decode_frame(data)
    return refusal.value


@pytest.mark.parametrize("kind", BOMBS)
def test_no_json_bomb_is_more_than_a_bad_request(kind):
    """S36. Fails when ``_UNREADABLE`` lacks ``RecursionError`` or ``UnicodeDecodeError``."""
    assert refused(BOMBS[kind]).error.code == "bad_request"
    for struct in (events.SendMessage, events.RegisterUser):
        with pytest.raises((BadRequest, Invalid)):
            codec.decode(BOMBS[kind], struct)


@pytest.mark.parametrize("depth", [10, 200, 500])
def test_the_answer_to_a_deep_frame_still_finds_its_question(depth):
    """S36, and CONTRACT section 4: one answer bears the ``id``. What is deeper than a decoder goes
    counts as no JSON, and is answered with null.

    Fails when the id of a frame that is refused is not looked for.
    """
    deep = b"[" * depth + b"]" * depth
    assert refused(b'{"id":"mine","event":1,"x":' + deep + b"}").frame_id == "mine"
    assert refused(b'{"event":1,"x":' + deep + b',"id":"mine"}').frame_id == "mine"


async def test_bombs_are_bad_requests_on_the_socket_and_over_http(server, lag, neighbours):
    """S36, P19. Fails when a bomb is ``internal``, ends the socket, or holds up the loop."""
    token = server.token("Buyer", "maya")
    bombs = [*BOMBS.values(), b"[" * 200_000]
    async with upgraded(server) as raw:
        for written in bombs[:-1]:
            try:
                written.decode()
            except UnicodeDecodeError:
                continue  # section 5: 1007
            await raw.write(frame(TEXT, written[:FRAME_BYTES]))
            assert (await raw.frame())[1].count(b'"bad_request"') == 1, written[:40]
    for written in bombs:
        answer = await call(server, "POST", SEND, raw=written, headers=JSON, token=token)
        allowed = {(400, "bad_request"), (400, "invalid"), (413, "too_large")}
        assert answer.refusal in allowed, written[:40]
    await neighbours()


async def test_of_doubled_keys_the_last_one_counts_at_every_door(server, join):
    """S36: one decoder everybody uses, of bodies, of envelopes and of what is in them. Fails where
    a decoder takes the first of them."""
    omar, maya = await join(server, "Seller", "omar"), await join(server, "Buyer", "maya")
    body = '{"message":"first","recipient_id":"omar","recipient_type":"Seller","message":"last"}'
    token = server.token("Buyer", "maya")
    answer = await call(server, "POST", SEND, raw=body, headers=JSON, token=token)
    assert answer.body["message"]["message"] == "last"
    assert (await omar.hear("new_message"))["message"] == "last"
    for twice in (
        f'{{"event":"typing","id":1,"data":{body},"event":"send_message"}}',
        f'{{"event":"send_message","id":2,"id":1,"data":{{}},"data":{body}}}',
    ):
        await maya.write(twice)
        assert (await maya.answer(1))["message"]["message"] == "last"
    await maya.write('{"event":1,"id":2,"id":3}')  # refused, and its id looked for
    assert (await maya.hear_answer(3))["data"]["code"] == "bad_request"
    loads = [
        f"{path.name}:{node.lineno}"
        for path in PROGRAM
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.loads", "json.load")
    ]
    # The id of a frame that msgspec refused, and the engine's own notes.
    assert {load.partition(":")[0] for load in loads} == {"codec.py", "engine_home.py"}


# --- Regular expressions --------------------------------------------------------------------------

PATTERN_SECONDS = 0.05  # PROMISES S37
# Longer text meets no expression: this is the bound where it comes in.
BOUNDS = {
    "picture.py": 64 * 1024,
    "codec.py": 64 * 1024,
    "text.py": 4_000,
    "base.py": 16 * 1024,
    "compression.py": 16 * 1024,
}
PIECES = [
    *("a", "aa ", "0", "-", ".", "a.", "a@", "@a.", "://", "http://", "http://a", "http://a.b/("),
    *("<", "&", "%41", "%", "eyJ", "eyJa.", "/", "//", "\\", " ", "\t", "\n", "\r\n", "\x00"),
    *("\u200d", "\U0001f44d", "\U0001f44d\ufe0f\u200d", "\U0001f1e6", "\u0301", "é", "\ud800"),
    *("[", "]", "(", ")", "((", "{", "'", '"', "`", "=", "a=", "a=b&", ",", ";", ":", "::", "1:"),
    *("en-", "en,", "q=0.1,", ",gzip ", ",gzip;q=0."),
]
TAILS = ["", "!", "\n", "\x00", "@", "://", "a" * 60, '"']


VERBS = {"search", "match", "fullmatch", "sub", "split", "findall", "finditer"}


@cache
def patterns():
    """Every regular expression of the program with how it is used, by file and source: those in
    calls of ``re``, and each ``pattern=`` of a struct's field."""
    found = {}
    for path in [path for path in PROGRAM if path.name != "server.py"]:
        module = import_module(f"{path.parent.name}.{path.stem}")
        names = {**vars(module), "re": re}
        source = path.read_text()
        used = {(match[1], match[2]) for match in re.finditer(r"\b(\w+)\s*\.(\w+)\(", source)}
        for name, value in vars(module).items():
            for verb in VERBS if isinstance(value, re.Pattern) else ():
                if (name, verb) in used or f"{name}.{verb}" in source:
                    found[f"{path.name}: {name}.{verb}"] = (path.name, verb, value)
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            verb = ast.unparse(node.func).removeprefix("re.")
            if ast.unparse(node.func) == f"re.{verb}" and verb in VERBS:
                written = ast.unparse(node.args[0])
            elif by_name := [k.value for k in node.keywords if k.arg == "pattern"]:
                verb, written = "search", ast.unparse(by_name[0])
            else:
                continue
            pattern = re.compile(eval(written, names))  # our own source
            found[f"{path.name}: {written}"] = (path.name, verb, pattern)
    return found


def test_the_expressions_of_the_program_are_found():
    names = {name for name, _, _ in patterns().values()}
    assert {"text.py", "codec.py", "events.py", "logs.py", "rows.py", "tokens.py"} <= names
    compiled = sum(path.read_text().count("re.compile(") for path in PROGRAM)
    assert len(patterns()) >= compiled


def seconds(verb, pattern, text):
    """How long one use takes, in this thread's own time."""
    begun = time.thread_time()
    if verb == "sub":
        pattern.sub(lambda _: "", text)
    elif verb == "finditer":
        list(pattern.finditer(text))
    else:
        getattr(pattern, verb)(text)
    return time.thread_time() - begun


def test_no_expression_takes_long_on_any_text_that_reaches_it():
    """S37, C37. Fails with an expression like ``(a+)+$``: try it in ``models/text.py``."""
    for name, (path, verb, pattern) in patterns().items():
        bound = BOUNDS.get(path, 8 * 1024)
        # Short ones first: where the time doubles with each letter, the long one would never end.
        for size, piece, tail in product((25, 500, bound), PIECES, TAILS):
            text = (piece * size)[: max(0, size - len(tail))] + tail
            source = text if isinstance(pattern.pattern, str) else text.encode(errors="replace")
            took = seconds(verb, pattern, source)
            if took > PATTERN_SECONDS:  # once more: the collector may have come in between
                took = seconds(verb, pattern, source)
            assert took < PATTERN_SECONDS, (name, size, piece, tail, took)


# --- Lists ----------------------------------------------------------------------------------------

LISTS = ["/api/messages/inbox", "/api/messages/sent", "/api/conversations"]
LISTS += ["/api/messages/conversation/omar/Seller"]
NO_CURSORS = ["x", "-1", "0", "[]", "{}", '{"$gt":""}', "9" * 400, "1e9", "\x00", "a" * 8_000]
NO_CURSORS += ["eyJhbGciOiJub25lIn0", "../../etc/passwd", "MTIz", "=", "%", "\ud83d\ude00"]


async def test_limits_are_1_to_100_and_cursors_are_checked_at_every_list(server, join):
    """S38, C33. Fails when ``limit`` has no bounds, or a cursor reaches the database as it is."""
    omar = await join(server, "Seller", "omar")
    maya = await join(server, "Buyer", "maya")
    await maya.send_many(omar, [str(number) for number in range(120)])
    token = server.token("Buyer", "maya")
    for path in LISTS:
        for limit in ("0", "-1", "101", "1e1", "1.0", "", "x", "9" * 30, "0x10", "NaN", "[]"):
            answer = await call(server, "GET", f"{path}?limit={quote(limit)}", token=token)
            assert answer.refusal == (400, "invalid"), (path, limit)
            assert answer.body["error"]["field"] == "limit"
        for cursor in NO_CURSORS:
            for name in ("before", "after"):
                cursor_ = quote(cursor.encode(errors="replace"))
                answer = await call(server, "GET", f"{path}?{name}={cursor_}", token=token)
                is_known = name == "before" or ("conversation/" in path and cursor != "0")
                assert answer.status in ((400,) if is_known else (200,)), (path, name, cursor)
        answer = await call(server, "GET", path, token=token)
        [rows] = [value for value in answer.body.values() if isinstance(value, list)]
        assert len(rows) <= 50
    answer = await call(server, "GET", f"{LISTS[3]}?limit=100", token=token)
    assert len(answer.body["messages"]) == 100


def lists_of(type_):
    """The lists in a client's own structs: what somebody could make long."""
    text = str(type_)
    return re.findall(r"\b(?:list|tuple|set|dict|Sequence|Mapping)\[", text)


def test_nothing_that_a_client_sends_holds_a_list_but_what_the_frame_bounds():
    """S38: ``since`` is bounded by the frame. Fails when a command gets another list."""
    found = {
        f"{row.data.__name__}.{name}"
        for row in events.COMMANDS.values()
        for name, type_ in get_type_hints(row.data).items()
        if lists_of(type_)
    }
    assert found == {"RegisterUser.since"}
    assert get_args(events.RegisterUser.__annotations__["since"])


async def test_since_passes_over_what_is_not_ones_own_without_a_word(
    server, join, lag, monkeypatch
):
    """S38. Fails when a conversation of others is answered, or looked up one by one."""
    omar, lena = await join(server, "Seller", "omar"), await join(server, "Buyer", "lena")
    foreign = (await lena.send(omar))["conversation_id"]
    since = {f"{number:024x}": 0 for number in range(1_500)} | {foreign: 0, "x": 1, "$ne": 1}
    assert len(json.dumps(since)) < FRAME_BYTES - 1_000
    looks = Mock(wraps=server.shop.store._driver)
    monkeypatch.setattr(server.shop.store, "_driver", looks)
    maya = await join(server, "Buyer", "maya", since=since)
    assert not await maya.heard_so_far()
    assert looks.call_count < 20
    assert len(maya.ack["conversations"]) <= CONVERSATIONS_SHOWN
