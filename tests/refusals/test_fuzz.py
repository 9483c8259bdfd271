"""P19: whatever comes in causes no 5xx, no traceback, and nobody else's disconnect.

60 examples of each here; with ``--hypothesis-profile=long --async-test-timeout=3600`` thousands.
What goes over the network runs in a thread, as the server needs the loop.
"""

import asyncio
import json
import socket
import struct
from contextlib import suppress
from itertools import count
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from models import codec, events
from models.errors import ChatError
from tests.caller import call
from tests.contract import NOWHERE, OPERATORS
from tests.refusals.raw import BINARY, PING, PONG, TEXT, event, frame, handshake

SECONDS = 15
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
patient = settings(suppress_health_check=list(HealthCheck))
fewer = settings(patient, max_examples=max(15, settings().max_examples // 4))
BOUND = max(120, settings().max_examples)  # seconds; the long profile's are thousands

# --- The API by its own description ---------------------------------------------------------------


def explore(server, document, headers):
    """Calls every operation with what its description allows, and with what it does not."""
    schema = schemathesis.openapi.from_dict(document)
    seen = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @fewer
            @given(case=operation.as_strategy(generation_mode=mode))
            def one(case):
                answer = case.call(base_url=server.url, headers=headers)
                case.validate_response(answer, checks=CHECKS)

            if mode is GenerationMode.POSITIVE:
                one()
            else:
                with suppress(Unsatisfiable):  # it takes nothing that could be wrong
                    one()
        seen.append(operation.label)
    return seen


@pytest.mark.gen_test(timeout=BOUND)
async def test_every_answer_is_as_the_description_says(server, join):
    """P19, schemathesis against ``/api/openapi.json``: no 5xx, and statuses, headers and bodies as
    described. Fails when a status is left out of ``handlers/openapi.py``, or a door raises."""
    document = (await call(server, "GET", "/api/openapi.json")).body
    omar, maya = await join(server, "Seller", "omar"), await join(server, "Buyer", "maya")
    await maya.send(omar)
    await omar.send(maya)
    headers = {"Authorization": f"Bearer {server.token('Buyer', 'maya')}"}
    seen = await asyncio.to_thread(explore, server, document, headers)
    assert len(seen) == sum(len(path) for path in document["paths"].values())
    await maya.send(omar)


# --- A client in a thread -------------------------------------------------------------------------


class Thread:
    """A socket that blocks: opened again when the server has closed it."""

    def __init__(self, server):
        self.server = server
        self.token = server.token("Buyer", "maya")
        self._ids = count(1)
        self.pipe = None

    def exchange(self, written):
        """Sends bytes and a question behind them: all that came back, and whether it is open."""
        if self.pipe is None:
            self._open()
        mark = f"mark {next(self._ids)}"
        try:
            self.pipe.sendall(written + frame(TEXT, event("are_you_there", mark)))
            told = []
            while True:
                opcode, payload = self._frame()
                if opcode == PING:
                    self.pipe.sendall(frame(PONG, payload))
                if opcode != TEXT:
                    continue
                found = json.loads(payload)
                told += found if isinstance(found, list) else [found]
                if any(each.get("id") == mark for each in told):
                    return told, True
        except (ConnectionError, EOFError):
            self.close()
            return told, False

    def close(self):
        if self.pipe is not None:
            self.pipe.close()
        self.pipe = None

    def _open(self):
        address = urlsplit(self.server.url)
        self.pipe = socket.create_connection((address.hostname, address.port), timeout=SECONDS)
        self.pipe.sendall(handshake(self.server, self.token))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._bytes(1)
        assert b" 101 " in head
        self.pipe.sendall(frame(TEXT, event("register_user")))

    def _bytes(self, size):
        data = b""
        while len(data) < size:
            more = self.pipe.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _frame(self):
        first, length = self._bytes(2)
        if length == 126:
            [length] = struct.unpack("!H", self._bytes(2))
        elif length == 127:
            [length] = struct.unpack("!Q", self._bytes(8))
        return first & 0xF, self._bytes(length)


def check_answers(told):
    """Nothing that came back is a fault of the server's."""
    for each in told:
        assert each["event"] != "error" or each["data"]["code"] not in ("internal", "unavailable")


@pytest.fixture
async def in_thread(server, join):
    """Runs a function with a client of Maya's, then has two others talk: nobody lost anything."""
    omar, lena = await join(server, "Seller", "omar"), await join(server, "Buyer", "lena")
    conversation = (await lena.send(omar))["conversation_id"]

    async def run(function):
        client = Thread(server)
        try:
            work = asyncio.ensure_future(asyncio.to_thread(function, client, conversation))
            while not (await asyncio.wait({work}, timeout=5))[0]:
                await omar.heard_so_far()  # who reads nothing answers no ping
                await lena.heard_so_far()
            work.result()
        finally:
            client.close()
        sent = await lena.send(omar, "still here")
        assert await omar.hear("new_message", message="still here") == sent

    return run


# --- Frames ---------------------------------------------------------------------------------------

texts = st.text(max_size=80) | st.sampled_from(
    ["omar", "maya", "Seller", "Buyer", NOWHERE, "online"]
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    plain | st.sampled_from(OPERATORS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    name: [field.encode_name for field in codec.fields_of(row.data)]
    for name, row in events.COMMANDS.items()
}


@st.composite
def frames(draw):
    """An event of the table, or nearly, with some of its fields, or nearly."""
    name = draw(st.sampled_from(sorted(FIELDS)))
    known = st.sampled_from(FIELDS[name]) if FIELDS[name] else texts
    data = draw(st.dictionaries(known | texts, values, max_size=6) | values)
    id_ = draw(st.integers() | texts | values)
    return {"event": draw(st.just(name) | values), "id": id_, "data": data}


async def test_no_event_whatever_it_holds_is_a_fault_of_the_server_s(in_thread):
    """P19: frames by structure. Fails when an error in a command is not a ``ChatError``."""

    def fuzz(client, _conversation):
        @patient
        @given(frames())
        @example({"event": "register_user", "id": 1, "data": {"since": {NOWHERE: 2**70}}})
        @example(
            {"event": "mark_as_read", "id": 1, "data": {"conversation_id": NOWHERE, "seq": 2**64}}
        )
        def one(sent):
            told, is_open = client.exchange(frame(TEXT, json.dumps(sent).encode()))
            check_answers(told)
            assert is_open

        one()

    await in_thread(fuzz)


async def test_no_bytes_on_a_socket_are_a_fault_of_the_server_s(in_thread):
    """P19, section 5: bytes in frames, and frames of any shape."""

    def fuzz(client, _conversation):
        @patient
        @given(st.binary(max_size=300), st.sampled_from([TEXT, BINARY]))
        def payload(data, opcode):
            told, _ = client.exchange(frame(opcode, data))
            check_answers(told)

        shapes = st.builds(
            frame,
            st.integers(0, 15),
            st.binary(max_size=200),
            fin=st.booleans(),
            masked=st.booleans(),
            reserved=st.integers(0, 7),
        )

        @fewer
        @given(st.lists(shapes, min_size=1, max_size=5))
        def shape(written):
            told, _ = client.exchange(b"".join(written))
            check_answers(told)

        payload()
        shape()

    await in_thread(fuzz)


# --- Requests -------------------------------------------------------------------------------------

TARGETS = [
    "/",
    "/ws",
    "/login",
    "/inbox",
    "/chat/omar",
    "/docs",
    "/api/messages/send",
    "/widget.js",
]
TARGETS += ["/static/js/realtime.js", "/api/conversations", "/api/session/identify", "/logout", "*"]
NAMES = ["Host", "Content-Length", "Content-Type", "Cookie", "Authorization", "Origin", "Accept"]
NAMES += ["Transfer-Encoding", "X-Forwarded-For", "Accept-Language", "If-None-Match", "Range"]
NAMES += ["Sec-WebSocket-Protocol", "Upgrade", "Connection", "Accept-Encoding", "If-Modified-Since"]
VALUES = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
]
VALUES += ["chunked", "7", "websocket", "Upgrade", "null", "bytes=9-1", "de;q=x", "bearer.x"]
header = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60)
header |= st.sampled_from(VALUES)


async def test_no_request_is_a_fault_of_the_server_s(in_thread, server):
    """P19, C37: heads and bodies of any kind. Fails when a header is read without a check."""

    def fuzz(_client, _conversation):
        @patient
        @given(
            st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "BREW"]),
            st.sampled_from(TARGETS),
            st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30),
            st.dictionaries(st.sampled_from(NAMES), header, max_size=5),
            st.binary(max_size=100),
        )
        def one(method, target, query, headers, body):
            lines = [f"{method} {target}?{query} HTTP/1.1", "Connection: close"]
            headers = {"Host": "x", "Content-Length": str(len(body))} | headers
            lines += [f"{name}: {value}" for name, value in headers.items()]
            address = urlsplit(server.url)
            with socket.create_connection((address.hostname, address.port), SECONDS) as pipe:
                pipe.sendall("\r\n".join([*lines, "", ""]).encode("latin1") + body)
                pipe.shutdown(socket.SHUT_WR)
                try:
                    answer = pipe.recv(200)
                except ConnectionError:
                    return
            assert not answer.startswith(b"HTTP/1.1 5"), answer

        one()

    await in_thread(fuzz)


# --- Structs --------------------------------------------------------------------------------------


@given(st.sampled_from([row.data for row in events.COMMANDS.values()]), values)
def test_decoding_refuses_in_the_contract_s_words_or_takes(struct, value):
    """P19. Fails when msgspec raises what ``codec.decode`` does not know."""
    try:
        codec.decode(json.dumps(value).encode(), struct)
    except ChatError as error:
        assert error.code in ("bad_request", "invalid")  # noqa: PT017
