import asyncio

import pytest

from tests.caller import call
from tests.contract import MESSAGE, NOWHERE, OPERATORS, check_conversation, check_message, place

SEND, INBOX, SENT = "/api/messages/send", "/api/messages/inbox", "/api/messages/sent"
COUNT = "/api/messages/unread/count"


@pytest.fixture
async def shop(server):
    """A server that knows the sellers Omar and Vera."""
    for seller in ("omar", "vera"):
        await server.shop.accounts.add_seller(seller, seller.title(), None, "correct horse battery")
    return server


@pytest.fixture
def maya(shop):
    return Person(shop, "Buyer", "maya")


@pytest.fixture
def omar(shop):
    return Person(shop, "Seller", "omar")


@pytest.fixture
def lena(shop):
    return Person(shop, "Buyer", "lena")


class Person:
    """Somebody with a token, who calls."""

    def __init__(self, server, type_, id_):
        self.server, self.type, self.id = server, type_, id_
        self.token = server.token(type_, id_)

    def to(self, other, message="Hello", **more):
        """The body of a message to somebody."""
        recipient = {"recipient_id": other.id, "recipient_type": other.type}
        return {**recipient, "message": message, **more}

    async def ask(self, method, path, body=None, **how):
        return await call(self.server, method, path, body, token=self.token, **how)

    async def get(self, path):
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    async def send(self, other, message="Hello", **more):
        answer = await self.ask("POST", SEND, self.to(other, message, **more))
        assert answer.status == 201, answer.body
        return answer.body["message"]

    async def send_many(self, other, count):
        """Sends messages in order, as fast as answers come."""
        return [await self.send(other, f"No. {number}") for number in range(1, count + 1)]

    async def read(self, message):
        return await self.ask("PUT", f"/api/messages/{message['id']}/read")

    async def pages(self, path, **query):
        """All that a list has, page by page."""
        found, before = [], ""
        for _ in range(1_000):
            words = "&".join(f"{name}={value}" for name, value in query.items())
            page = await self.get(f"{path}?{words}{before}")
            assert page.keys() == {"messages", "next"}
            assert len(page["messages"]) <= query.get("limit", 50)
            found += page["messages"]
            if page["next"] is None:
                return found
            assert isinstance(page["next"], str)
            assert page["messages"]
            before = f"&before={page['next']}"
        raise AssertionError("The pages have no end.")


# --- Sending --------------------------------------------------------------------------------------


async def test_a_message_that_was_sent_is_created(maya, omar):
    answer = await maya.ask("POST", SEND, maya.to(omar, "Is it <blue>?", client_id="c1"))
    assert answer.status == 201
    assert answer.body.keys() == {"message"}
    message = answer.body["message"]
    check_message(message)
    assert (
        message.items()
        >= {
            "seq": 1,
            "client_id": "c1",
            "sender_id": "maya",
            "sender_type": "Buyer",
            "sender_name": "Maya",
            "recipient_id": "omar",
            "recipient_type": "Seller",
            "subject": None,
            "message": "Is it <blue>?",
            "message_html": "Is it &lt;blue&gt;?",
            "message_type": "general",
            "status": "sent",
        }.items()
    )


async def test_a_repeat_is_answered_with_200_and_the_stored_message(maya, omar):
    body = maya.to(omar, client_id="c1")
    first = await maya.ask("POST", SEND, body)
    again = await asyncio.gather(*(maya.ask("POST", SEND, body) for _ in range(5)))
    assert {(answer.status, answer.body["message"]["id"]) for answer in again} == {
        (200, first.body["message"]["id"])
    }
    assert len((await omar.get(INBOX))["messages"]) == 1
    conflict = await maya.ask("POST", SEND, body | {"message": "Another"})
    assert conflict.refusal == (409, "conflict")


async def test_copies_sent_at_once_create_one_message(maya, omar):
    body = maya.to(omar, client_id="c1")
    answers = await asyncio.gather(*(maya.ask("POST", SEND, body) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert len({answer.body["message"]["id"] for answer in answers}) == 1


async def test_sending_over_http_is_heard_on_sockets(shop, maya, omar, open_socket):
    protocols = ["shopbell.v1", f"bearer.{omar.token}"]
    socket = await open_socket(f"{shop.url}/ws", subprotocols=protocols)
    await socket.write_message('{"event":"register_user","data":{}}')
    await socket.write_message('{"event":"no event","data":{},"id":1}')
    heard = ""
    while '"bad_request"' not in heard:  # from here on it is registered
        heard = await socket.read_message()
    message = await maya.send(omar)
    while '"new_message"' not in heard:
        heard = await socket.read_message()
    assert message["id"] in heard


async def test_the_same_rules_hold_as_on_the_socket(shop, maya, omar, lena):
    for body, status, code, field in (
        (maya.to(omar, ""), 400, "invalid", "message"),
        (maya.to(omar, "x" * 4001), 400, "invalid", "message"),
        (maya.to(omar, subject="x" * 201), 400, "invalid", "subject"),
        (maya.to(omar, message_type="system"), 400, "invalid", "message_type"),
        (maya.to(omar, client_id="x" * 65), 400, "invalid", "client_id"),
        (maya.to(omar) | {"recipient_id": "o mar"}, 400, "invalid", "recipient_id"),
        (maya.to(omar) | {"recipient_type": "seller"}, 400, "invalid", "recipient_type"),
        ({"message": "Hello"}, 400, "invalid", "recipient_id"),
        (maya.to(maya), 400, "invalid", None),
        (maya.to(lena), 403, "forbidden", None),
        (maya.to(omar, sender_id="lena"), 403, "forbidden", None),
        (maya.to(omar, sender_type="Seller"), 403, "forbidden", None),
        (maya.to(omar) | {"recipient_id": "nobody"}, 404, "not_found", None),
    ):
        answer = await maya.ask("POST", SEND, body)
        assert answer.refusal == (status, code), body
        assert field is None or answer.body["error"]["field"] == field, body
    assert (await omar.get(INBOX))["messages"] == []


async def test_operators_are_refused_in_every_field(maya, omar):
    body = maya.to(omar, subject="A", message_type="order", client_id="c", sender_id="maya")
    for field in [*body, "sender_type"]:
        for value in OPERATORS:
            answer = await maya.ask("POST", SEND, body | {field: value})
            assert answer.refusal == (400, "invalid"), (field, value)
            assert answer.body["error"]["field"].startswith(field)
    assert (await omar.get(INBOX))["messages"] == []


async def test_what_is_the_servers_to_say_is_ignored(maya, omar):
    told = {"id": NOWHERE, "seq": 99, "status": "read", "sender_name": "Omar", "nonsense": {}}
    message = await maya.send(omar, **told)
    assert message.keys() == MESSAGE
    assert (message["seq"], message["status"], message["sender_name"]) == (1, "sent", "Maya")
    assert message["id"] != NOWHERE


# --- One message ----------------------------------------------------------------------------------


async def test_both_sides_read_a_message_and_nobody_else(maya, omar, lena):
    message = await maya.send(omar)
    path = f"/api/messages/{message['id']}"
    for person in (maya, omar):
        assert await person.get(path) == {"message": message}
    foreign = await lena.ask("GET", path)
    missing = await lena.ask("GET", f"/api/messages/{NOWHERE}")
    assert foreign.refusal == (404, "not_found")
    assert foreign.body == missing.body


async def test_only_the_recipients_reading_counts(maya, omar, lena):
    first, second, _ = [await maya.send(omar) for _ in range(3)]
    assert (await maya.read(second)).refusal == (403, "forbidden")
    foreign = await lena.read(second)
    assert foreign.refusal == (404, "not_found")
    assert foreign.body == (await lena.read({"id": NOWHERE})).body
    assert (await omar.get(COUNT))["count"] == 3
    answer = await omar.read(second)
    assert (answer.status, answer.body.keys()) == (200, {"message", "unread"})
    check_message(answer.body["message"])
    assert (answer.body["message"]["status"], answer.body["unread"]) == ("read", 1)
    assert (await maya.get(f"/api/messages/{first['id']}"))["message"]["status"] == "read"
    assert (await omar.read(first)).body["unread"] == 1  # it does not go back


async def test_unread_is_the_sum_over_all_conversations(maya, omar, lena):
    of_maya = (await maya.send_many(omar, 3))[-1]
    of_lena = (await lena.send_many(omar, 2))[-1]
    rooms = {of_maya["conversation_id"]: 3, of_lena["conversation_id"]: 2}
    assert await omar.get(COUNT) == {"count": 5, "conversations": rooms}
    assert (await omar.read(of_lena)).body["unread"] == 3
    rooms.pop(of_lena["conversation_id"])
    assert await omar.get(COUNT) == {"count": 3, "conversations": rooms}
    assert await maya.get(COUNT) == {"count": 0, "conversations": {}}
    await omar.send(maya)  # writing is reading
    assert await omar.get(COUNT) == {"count": 0, "conversations": {}}


# --- Inbox and sent -------------------------------------------------------------------------------


async def test_the_inbox_has_what_was_received_and_sent_has_what_was_sent(maya, omar, lena):
    ours = [await maya.send(omar, "1"), await lena.send(omar, "2"), await omar.send(maya, "3")]
    texts = {
        (person.id, path): [m["message"] for m in (await person.get(path))["messages"]]
        for person in (maya, omar, lena)
        for path in (INBOX, SENT)
    }
    assert texts == {
        ("maya", INBOX): ["3"],
        ("maya", SENT): ["1"],
        ("omar", INBOX): ["2", "1"],
        ("omar", SENT): ["3"],
        ("lena", INBOX): [],
        ("lena", SENT): ["2"],
    }
    [received] = (await maya.get(INBOX))["messages"]
    assert received == ours[-1]


async def test_the_inbox_can_show_what_is_unread(maya, omar, lena):
    messages = await maya.send_many(omar, 5)
    await lena.send_many(omar, 2)
    await omar.read(messages[2])
    unread = await omar.pages(INBOX, unread=1, limit=2)
    assert [(m["sender_id"], m["seq"]) for m in unread] == [
        *[("lena", 2), ("lena", 1), ("maya", 5), ("maya", 4)]
    ]
    assert len(await omar.pages(INBOX)) == 7


async def test_pages_of_hundreds_lose_and_repeat_nothing(shop, maya, omar, lena):
    vera = Person(shop, "Seller", "vera")

    async def write(sender, recipient, count):
        for number in range(count):
            await sender.send(recipient, str(number))

    await write(maya, omar, 1)  # from now on they are known
    await write(lena, omar, 1)
    await asyncio.gather(
        *(write(maya, omar, 70), write(lena, omar, 70), write(vera, omar, 58)),
        *(write(omar, maya, 40), write(maya, vera, 29)),
    )
    inbox = await omar.pages(INBOX, limit=17)
    assert len({message["id"] for message in inbox}) == len(inbox) == 200
    moments = [message["created_at"] for message in inbox]
    assert moments == sorted(moments, reverse=True)
    assert await omar.pages(INBOX, limit=100) == inbox
    for sender in ("maya", "lena", "vera"):
        seqs = [m["seq"] for m in reversed(inbox) if m["sender_id"] == sender]
        assert seqs == sorted(seqs)
    sent = await maya.pages(SENT, limit=7)
    assert len({message["id"] for message in sent}) == len(sent) == 100


async def test_what_comes_while_one_pages_disturbs_no_page(maya, omar):
    await maya.send_many(omar, 12)
    page = await omar.get(f"{INBOX}?limit=5")
    await maya.send(omar, "new")
    rest = await omar.get(f"{INBOX}?limit=100&before={page['next']}")
    assert [m["seq"] for m in page["messages"] + rest["messages"]] == list(range(12, 0, -1))


# --- A conversation -------------------------------------------------------------------------------


def conversation_with(person, query=""):
    return f"/api/messages/conversation/{person.id}/{person.type}{query}"


async def test_two_who_never_spoke_have_no_conversation_and_get_none(maya, omar, lena):
    nobody = "/api/messages/conversation/nobody/Seller"
    for path in (conversation_with(omar), conversation_with(lena), nobody):
        assert await maya.get(path) == {"conversation": None, "messages": [], "has_more": False}
    assert await maya.get("/api/conversations") == {"conversations": [], "next": None}


async def test_a_page_of_a_conversation_is_the_newest_oldest_first(maya, omar):
    messages = await maya.send_many(omar, 7)
    page = await omar.get(conversation_with(maya, "?limit=3"))
    assert page.keys() == {"conversation", "messages", "has_more"}
    check_conversation(page["conversation"])
    assert page["conversation"].items() >= {"first_seq": 1, "last_seq": 7, "unread": 7}.items()
    assert page["messages"] == messages[4:]
    assert page["has_more"] is True
    assert place(page["conversation"], "omar")["read_seq"] == 0
    mine = await maya.get(conversation_with(omar))
    assert mine["messages"] == messages
    assert (mine["has_more"], mine["conversation"]["unread"]) == (False, 0)


async def test_pages_of_a_conversation_go_both_ways(maya, omar):
    await maya.send_many(omar, 7)
    for query, seqs, has_more in (
        ("?before=5&limit=2", [3, 4], True),
        ("?before=3&limit=2", [1, 2], False),
        ("?before=1", [], False),
        ("?before=1000&limit=2", [6, 7], True),
        ("?after=0&limit=2", [1, 2], True),
        ("?after=5", [6, 7], False),
        ("?after=5&limit=1", [6], True),
        ("?after=7", [], False),
        ("?after=1000", [], False),
    ):
        page = await omar.get(conversation_with(maya, query))
        assert [message["seq"] for message in page["messages"]] == seqs, query
        assert page["has_more"] is has_more, query
        assert page["conversation"]["last_seq"] == 7


async def test_a_long_conversation_is_paged_without_loss_or_repeat(maya, omar):
    await asyncio.gather(*(maya.send(omar, str(number)) for number in range(230)))
    back, before = [], ""
    while not back or back[0]["seq"] > 1:
        page = await omar.get(conversation_with(maya, f"?limit=37{before}"))
        back = page["messages"] + back
        before = f"&before={back[0]['seq']}"
    assert page["has_more"] is False
    assert [message["seq"] for message in back] == list(range(1, 231))
    assert len({message["message"] for message in back}) == 230
    forth, page = [], {"has_more": True}
    while page["has_more"]:
        after = forth[-1]["seq"] if forth else 0
        page = await omar.get(conversation_with(maya, f"?after={after}&limit=100"))
        forth += page["messages"]
    assert forth == back


async def test_a_third_sees_only_their_own_conversation_with_either(maya, omar, lena):
    await maya.send(omar, "between us")
    for person in (maya, omar):
        page = await lena.get(conversation_with(person))
        assert page == {"conversation": None, "messages": [], "has_more": False}


@pytest.mark.parametrize(
    "wrong", ["o%20mar/Seller", "omar/Admin", "x" * 65 + "/Seller", "%24ne/Buyer"]
)
async def test_a_participant_who_cannot_be_is_refused(maya, wrong):
    answer = await maya.ask("GET", f"/api/messages/conversation/{wrong}")
    assert answer.refusal in {(400, "invalid"), (404, "not_found")}


# --- Queries --------------------------------------------------------------------------------------


async def test_a_limit_is_1_to_100(maya, omar):
    await maya.send(omar)
    for path in (INBOX, SENT, conversation_with(omar)):
        for limit in ("1", "100"):
            assert (await maya.ask("GET", f"{path}?limit={limit}")).status == 200
        for limit in ("0", "101", "-1", "1.5", "ten", "", "1e1", "9" * 400, "%00", "true", "[1]"):
            answer = await maya.ask("GET", f"{path}?limit={limit}")
            assert answer.refusal == (400, "invalid"), limit
            assert answer.body["error"]["field"] == "limit"


async def test_a_cursor_that_is_none_is_invalid(maya, omar):
    await maya.send_many(omar, 3)
    cursor = (await maya.get(f"{SENT}?limit=1"))["next"]
    wrong = ("x", "AAAA", "1", "%7B%22%24ne%22%3Anull%7D", "%FF%FE", "x" * 1000, cursor[1:])
    for path in (INBOX, SENT):
        for before in wrong:
            answer = await maya.ask("GET", f"{path}?before={before}")
            assert answer.refusal == (400, "invalid"), before
            assert answer.body["error"]["field"] == "before"


async def test_a_seq_in_a_query_is_a_number(maya, omar):
    await maya.send(omar)
    for name, wrong in (("before", "x"), ("after", "-1"), ("before", "1.5"), ("after", "")):
        answer = await maya.ask("GET", conversation_with(omar, f"?{name}={wrong}"))
        assert answer.refusal == (400, "invalid"), wrong
        assert answer.body["error"]["field"] == name


async def test_unknown_words_in_a_query_are_ignored(maya, omar):
    await maya.send(omar)
    page = await maya.get(f"{SENT}?sender=omar&sort=seq&limit[$gt]=1&%24where=1&fields=all")
    assert len(page["messages"]) == 1
