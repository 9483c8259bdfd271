"""The reference cannot rot: it is held to the tables it comes from, and its samples are used."""

import asyncio
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import get_args
from urllib.parse import urlsplit

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tornado.web import RequestHandler

from handlers import openapi
from handlers.examples import EXAMPLES, IDENTITY_CODE, REFUSALS
from handlers.protocol import (
    CLOSES,
    CODES,
    IDENTITY_CLAIMS,
    PACES,
    SILENCE_SECONDS,
    SIZES,
    TOKEN_CLAIMS,
    pace,
)
from handlers.routes import API, HEALTH, PAGES
from handlers.socket import SOCKETS
from models import codec, events, tokens
from models.chat import CATCH_UP_MOST, CONVERSATIONS_SHOWN
from models.events import ErrorCode
from models.pace import RULES
from models.presence import GRACE_SECONDS
from models.text import MESSAGE_CHARACTERS, SUBJECT_CHARACTERS
from tests.caller import call
from tests.sockets.client import Client, spoken

ORIGIN = "https://chat.shop.example"
SECRET = "an identity secret that only this test knows"
SECONDS = 20  # for a process that has to start on a busy machine


# --- Reading what is served ----------------------------------------------------------------------


class Page(HTMLParser):
    """The page's anchors and links, the text of each entry, and the samples in it."""

    def __init__(self, html):
        super().__init__()
        self.ids = []
        self.links = []
        self.tags = set()
        self.texts = {}
        self.samples = {}
        self._open = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        if tag in {"section", "div"}:
            self._open.append(found.get("id") or "")
        if tag == "pre":
            self.samples.setdefault(self._place, []).append("")
        self._in_pre = tag == "pre" or (self._in_pre and tag in {"code", "span"})

    _in_pre = False

    def handle_endtag(self, tag):
        if tag in {"section", "div"}:
            self._open.pop()
        if tag == "pre":
            self._in_pre = False

    def handle_data(self, data):
        if self._in_pre:
            self.samples[self._place][-1] += data
        for place in self._open:
            self.texts[place] = self.texts.get(place, "") + data

    @property
    def _place(self):
        """The innermost part that has a name."""
        return next((place for place in reversed(self._open) if place), "")

    def text(self, place):
        return " ".join(self.texts[place].split())


@pytest.fixture
async def page(server):
    answer = await call(server, "GET", "/docs")
    assert answer.status == 200
    return Page(answer.body)


@pytest.fixture(scope="module")
def document():
    """The description, as a reader gets it: decoded from JSON."""
    return json.loads(codec.encode(openapi.document(API, ORIGIN)))


def operations_of(document):
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def validator(document, schema):
    return Draft202012Validator({**schema, "components": document["components"]})


def contents_of(operation):
    """All bodies and answers, each with its schema and its examples."""
    contents = [answer["content"] for answer in operation["responses"].values()]
    if "requestBody" in operation:
        contents.append(operation["requestBody"]["content"])
    return [content["application/json"] for content in contents]


# --- The page ------------------------------------------------------------------------------------


async def test_the_page_needs_no_script_and_allows_none(server):
    answer = await call(server, "GET", "/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "style-src 'self'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    page = Page(answer.body)
    assert page.tags.isdisjoint({"script", "style", "iframe", "form"})
    assert " style=" not in answer.body


async def test_both_descriptions_are_for_strangers_and_kept_by_their_etag(server):
    for path in ("/docs", "/api/openapi.json"):
        answer = await call(server, "GET", path)
        kept = {"If-None-Match": answer.headers["Etag"]}
        again = await call(server, "GET", path, headers=kept)
        assert (answer.status, again.status, again.body) == (200, 304, "")


async def test_every_anchor_is_there_once_and_every_link_leads_to_one(server, page):
    assert [name for name, times in Counter(page.ids).items() if times > 1] == []
    for link in page.links:
        path, anchor = urlsplit(link).path, urlsplit(link).fragment
        if path:
            assert (await call(server, "GET", path)).status == 200, link
        else:
            assert anchor in page.ids, link


async def test_every_event_has_its_table_its_acknowledgement_and_its_samples(page):
    for name, row in events.COMMANDS.items():
        for field in codec.fields_of(row.data):
            assert f"{name}.{field.encode_name}" in page.ids
        for field in codec.fields_of(row.ack):
            assert f"{name}.ack.{field.encode_name}" in page.ids
        assert len(page.samples[name]) == 2
    for struct, name in events.EVENTS.items():
        place = name if struct is not events.Message else "Message"
        for field in codec.fields_of(struct):
            assert f"{place}.{field.encode_name}" in page.ids
        assert len(page.samples[name]) == 1


async def test_every_field_says_what_it_means(page):
    rows = [name for name in page.ids if re.fullmatch(r"[A-Za-z_]+(\.[a-z]+)?\.[a-z_]+", name)]
    assert len(rows) > 100
    for name in rows:
        assert page.text(name).endswith((".", "…")), name


async def test_the_samples_of_events_are_what_the_program_reads_and_writes(page):
    for name, row in events.COMMANDS.items():
        asked, answered = page.samples[name]
        frame = codec.decode_frame(asked)
        assert codec.command_for(frame) is row
        assert codec.decode(frame.data, row.data) == EXAMPLES[row.data]
        answer = json.loads(answered)
        assert (answer["event"], answer["id"]) == ("ack", frame.id)
        assert msgspec.convert(answer["data"], row.ack) == EXAMPLES[row.ack]
    for struct, name in events.EVENTS.items():
        [heard] = page.samples[name]
        assert json.loads(codec.encode_event(EXAMPLES[struct])) == json.loads(heard)


async def test_the_samples_of_the_explanations_are_frames(page):
    asked, batch, error = page.samples["frames"]
    frame = codec.decode_frame(asked)
    assert codec.decode(frame.data, codec.command_for(frame).data) == EXAMPLES[events.Typing]
    names = set(events.EVENTS.values()) | {"ack"}
    assert {one["event"] for one in json.loads(batch)} <= names
    assert msgspec.convert(json.loads(error)["data"], events.ErrorData) == REFUSALS["invalid"]


async def test_every_object_that_others_hold_is_explained_with_all_its_fields(page):
    schemas = openapi.schemas_of([*EXAMPLES, events.ErrorAnswer])
    held = set(re.findall(r'schemas/(\w+)"', json.dumps(schemas)))
    assert {"Message", "Conversation", "User", "ErrorData", "Limits"} <= held
    for name in held:
        assert {f"{name}.{field}" for field in schemas[name]["properties"]} <= set(page.ids)


async def test_every_code_has_a_meaning_and_a_status(page):
    assert set(CODES) == set(REFUSALS) == set(get_args(ErrorCode))
    for code in get_args(ErrorCode):
        assert page.text(code).startswith(f"{code} HTTP ")


async def test_every_close_code_says_what_to_do(page):
    assert set(CLOSES) == {1009, 1012, 1013, 4401, 4408, 4429}
    for code in CLOSES:
        assert len(page.text(f"close-{code}")) > 30


async def test_every_limit_is_told(page):
    assert PACES.keys() == RULES.keys()
    told = page.text("limits")
    for name, (what, _) in PACES.items():
        assert f"{what} {pace(name)}." in told
    for what, amount, more in SIZES:
        assert f"{what} {amount}. {more.replace('`', '')}" in told
    assert f"Sockets of one seller {SOCKETS['Seller']}." in told


def test_a_pace_is_told_as_people_would():
    assert {name: pace(name) for name in RULES} == {
        "messages:Buyer": "10 at once, then 1 a second",
        "messages:Seller": "60 at once, then 5 a second",
        "typing": "1 a second",
        "events": "120 a minute",
        "http:participant": "200 a minute",
        "http:address": "100 a minute",
        "guests": "20 an hour",
        "logins:account": "5 in 30 minutes",
        "logins:address": "10 in 3 minutes",
    }


async def test_numbers_in_sentences_are_those_that_hold(page):
    assert f"more than {CATCH_UP_MOST:,} are missing" in page.text("register_user")
    assert f"up to {CONVERSATIONS_SHOWN};" in page.text("register_user.ack.conversations")
    assert f"by itself {events.TYPING_SECONDS} s after" in page.text("typing")
    assert f"1 to {MESSAGE_CHARACTERS:,} characters" in page.text("send_message.message")
    assert f"Up to {SUBJECT_CHARACTERS} characters" in page.text("send_message.subject")
    assert f"another {GRACE_SECONDS:g} s" in page.text("user_status_changed")
    beat = f"every {events.BEAT_SECONDS} s; who hears nothing for {SILENCE_SECONDS} s reconnects"
    assert beat in page.text("beat")


async def test_every_call_is_on_the_page_with_all_that_goes_in_and_out(page):
    for operation in openapi.operations(API):
        name, call_ = operation.name, operation.call
        text = page.text(name)
        assert f"{operation.method.upper()} {operation.path} {call_.summary}" in text
        for struct, part in ((call_.query, "query"), (call_.answer, "answer")):
            for field in codec.fields_of(struct) if struct else ():
                assert f"{name}.{part}.{field.encode_name}" in page.ids
        for part in operation.parts:
            assert f"{name}.path.{part}" in page.ids
        for status, codes in operation.refusals.items():
            assert page.text(f"{name}.{status}") == f"{status} {' or '.join(codes)}"
        assert len(page.samples[name]) == 2


async def test_every_other_address_says_what_it_is_for(page):
    for _, door in [*PAGES, *HEALTH]:
        assert re.match(r"(POST )?/\S* [A-Z].+\.", page.text(f"door-{door.__name__}")), door


# --- Tokens and identities ------------------------------------------------------------------------


async def test_the_claims_on_the_page_are_those_that_are_read(page):
    for kind, told, read in (
        ("token", TOKEN_CLAIMS, tokens._TokenClaims),
        ("identity", IDENTITY_CLAIMS, tokens._IdentityClaims),
    ):
        fields = codec.fields_of(read)
        assert {field.name for field in fields} == told.keys()
        assert {f"{kind}-{field.name}" for field in fields} <= set(page.ids)
        for field in fields:
            assert told[field.name][0] == ("required" if field.required else "optional")


async def test_the_program_on_the_page_signs_an_identity_that_is_good(page):
    assert page.samples["identities"] == [IDENTITY_CODE.strip()]
    program = {}
    exec(page.samples["identities"][0], program)
    signed = program["identity"]("maya", "Maya", SECRET)
    vouched = tokens.Tokens("x" * 32, SECRET).read_identity(signed)
    assert (vouched.participant, vouched.name) == (("Buyer", "maya"), "Maya")


@pytest.mark.gen_test(timeout=3 * SECONDS)
async def test_the_first_client_on_the_page_talks_with_a_seller(
    server, page, open_socket, tmp_path
):
    seller = server.token("Seller", "omar", "Omar")
    omar = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(seller)))
    await omar.ask("register_user")
    program = tmp_path / "client.mjs"
    program.write_text(page.samples["start"][0])
    node = await asyncio.create_subprocess_exec(
        "node", "--experimental-websocket", program, stdout=asyncio.subprocess.PIPE
    )
    try:
        question = await omar.hear("new_message")
        said = await asyncio.wait_for(node.stdout.readline(), SECONDS)
        assert said.decode() == f"stored: {question['message']}\n"
        answer = {"recipient_id": question["sender_id"], "recipient_type": "Buyer"}
        await omar.ask("send_message", answer | {"message": "Yes, all of them are."})
        said = await asyncio.wait_for(node.stdout.readline(), SECONDS)
        assert said.decode() == "Omar: Yes, all of them are.\n"
        read = await omar.hear("message_read")
        assert (read["user_id"], read["seq"]) == (question["sender_id"], 2)
    finally:
        node.kill()
        await node.wait()


# --- The description for programs ----------------------------------------------------------------


def test_the_description_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


async def test_the_description_is_served_with_the_servers_own_address(server):
    answer = await call(server, "GET", "/api/openapi.json")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.body == json.loads(codec.encode(openapi.document(API, server.url)))
    assert answer.body["servers"] == [{"url": server.url}]


def test_every_method_of_every_door_is_described(document):
    described = {(method, path) for method, path, _ in operations_of(document)}
    found = 0
    for pattern, door in API:
        offered = {
            method.lower()
            for method in set(door.SUPPORTED_METHODS) - {"HEAD", "OPTIONS"}
            if getattr(door, method.lower()) is not getattr(RequestHandler, method.lower())
        }
        assert offered
        assert offered == door.calls().keys(), f"{pattern}: not documented"
        [path] = {o.path for o in openapi.operations([(pattern, door)])}
        assert {(method, path) for method in offered} <= described
        example = path.format_map(msgspec.to_builtins(openapi.ADDRESS))
        assert re.fullmatch(pattern, example), "the example leads elsewhere"
        found += len(offered)
    assert found == len(described)


def test_the_names_of_calls_stay(document):
    """They are the names of methods in generated clients."""
    assert {operation["operationId"] for _, _, operation in operations_of(document)} == {
        *("postSend", "getInbox", "getSent", "getUnreadCount", "getConversation", "getMessage"),
        *("putMessageRead", "getConversations", "getSeller", "postGuest", "postIdentify"),
        "getDescription",
    }


def test_every_example_in_the_description_is_valid(document):
    tried = 0
    for _, _, operation in operations_of(document):
        for content in contents_of(operation):
            check = validator(document, content["schema"])
            examples = [content["example"]] if "example" in content else []
            for reference in content.get("examples", {}).values():
                name = reference["$ref"].rpartition("/")[2]
                examples.append(document["components"]["examples"][name]["value"])
            assert examples
            for example in examples:
                check.validate(example)
                tried += 1
        for parameter in operation.get("parameters", ()):
            for example in parameter["schema"].get("examples", ()):
                validator(document, parameter["schema"]).validate(example)
    assert tried > 50


def test_every_call_says_who_may_ask_and_how_it_refuses(document):
    doors = {operation.name: operation.door for operation in openapi.operations(API)}
    for _, _, operation in operations_of(document):
        either = [] if doors[operation["operationId"]].public else [{"bearer": []}, {"cookie": []}]
        assert operation["security"] == either
        assert {"400", "401", "429", "500", "503"} <= operation["responses"].keys()
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        if "requestBody" in operation:
            assert {"413", "415"} <= operation["responses"].keys()


async def test_real_answers_are_as_described(server):
    document = (await call(server, "GET", "/api/openapi.json")).body
    await server.shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    maya = server.token("Buyer", "maya", "Maya")
    seen = set()

    async def check(operation_id, status, path, body=None, *, token=maya):
        """Calls, and holds the answer to the schema of its status."""
        [(method, described)] = [
            (method, operation)
            for method, _, operation in operations_of(document)
            if operation["operationId"] == operation_id
        ]
        answer = await call(server, method.upper(), path, body, token=token)
        assert answer.status == status, answer.body
        content = described["responses"][str(status)]["content"]["application/json"]
        validator(document, content["schema"]).validate(answer.body)
        seen.add(operation_id)
        return answer.body

    text = {"recipient_id": "omar", "recipient_type": "Seller", "message": "Is it safe?"}
    sent = await check("postSend", 201, "/api/messages/send", {**text, "client_id": "one"})
    again = await check("postSend", 200, "/api/messages/send", {**text, "client_id": "one"})
    assert again == sent
    await check("postSend", 400, "/api/messages/send", {**text, "message": " "})
    await check("postSend", 404, "/api/messages/send", {**text, "recipient_id": "nobody"})
    await check("postSend", 401, "/api/messages/send", text, token="wrong")
    conflict = {**text, "client_id": "one", "message": "Another text"}
    await check("postSend", 409, "/api/messages/send", conflict)
    message_id = sent["message"]["id"]
    omar = server.token("Seller", "omar", "Omar")
    await check("getInbox", 200, "/api/messages/inbox?unread=1", token=omar)
    await check("getSent", 200, "/api/messages/sent?limit=1")
    await check("getUnreadCount", 200, "/api/messages/unread/count", token=omar)
    await check("getMessage", 200, f"/api/messages/{message_id}")
    await check("putMessageRead", 403, f"/api/messages/{message_id}/read")
    await check("putMessageRead", 200, f"/api/messages/{message_id}/read", token=omar)
    await check("getConversation", 200, "/api/messages/conversation/omar/Seller?after=0")
    await check("getConversation", 200, "/api/messages/conversation/nobody/Seller")
    await check("getConversation", 400, "/api/messages/conversation/omar/Friend")
    await check("getConversations", 200, "/api/conversations?filter=all")
    await check("getSeller", 200, "/api/sellers/omar", token=None)
    guest = await check("postGuest", 201, "/api/session/guest", {"seller_id": "omar"}, token=None)
    program = {}
    exec(IDENTITY_CODE, program)
    vouched = program["identity"]("ann", "Ann", server.shop.settings.identity_secret)
    body = {"identity": vouched, "guest_token": guest["token"]}
    await check("postIdentify", 200, "/api/session/identify", body, token=None)
    await check("getDescription", 200, "/api/openapi.json", token=None)
    assert seen == {operation["operationId"] for _, _, operation in operations_of(document)}
