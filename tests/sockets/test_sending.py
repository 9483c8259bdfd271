import unicodedata

import pytest

from tests.caller import call
from tests.contract import MESSAGE, NOWHERE, check_message
from tests.sockets.client import Refused

# --- What is stored, and who gets it --------------------------------------------------------------


async def test_a_message_is_acknowledged_as_it_is_stored(maya, omar):
    question = maya.message_to(
        omar,
        "Is it <b>blue</b>?",
        subject="Product Inquiry",
        message_type="product",
        client_id="c1",
    )
    answer = await maya.ask("send_message", question)
    assert answer.keys() == {"message", "duplicate"}
    assert answer["duplicate"] is False
    message = answer["message"]
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
            "subject": "Product Inquiry",
            "message": "Is it <b>blue</b>?",
            "message_html": "Is it &lt;b&gt;blue&lt;/b&gt;?",
            "message_type": "product",
            "status": "sent",
            "delivered_at": None,
            "read_at": None,
        }.items()
    )


async def test_what_is_left_out_is_general_and_without_subject(maya, omar):
    message = await maya.send(omar)
    assert (message["message_type"], message["subject"]) == ("general", None)
    assert 1 <= len(message["client_id"]) <= 64


async def test_all_others_of_both_sides_get_what_the_sender_is_answered(server, join, maya, omar):
    maya_too, omar_too = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    message = await maya.send(omar)
    for client in (maya_too, omar, omar_too):
        assert await client.hear("new_message") == message
    assert not await maya.heard_so_far("new_message")


async def test_nobody_else_gets_a_message(server, join, maya, omar, lena):
    bystanders = [lena, await join(server, "Seller", "vera"), await join(server, "Buyer", "omar")]
    await maya.send(omar)
    await omar.hear("new_message")
    for client in bystanders:
        assert not await client.heard_so_far()


async def test_both_directions_share_one_conversation_and_its_numbers(maya, omar):
    messages = [await maya.send(omar), await omar.send(maya), await maya.send(omar)]
    assert [message["seq"] for message in messages] == [1, 2, 3]
    assert len({message["conversation_id"] for message in messages}) == 1
    assert [m["created_at"] for m in messages] == sorted(m["created_at"] for m in messages)


async def test_one_sockets_messages_are_numbered_in_the_order_sent_and_come_in_batches(maya, omar):
    texts = [f"No. {number}" for number in range(1, 101)]
    stored = await maya.send_many(omar, texts)
    assert [(m["seq"], m["message"]) for m in stored] == list(enumerate(texts, 1))
    heard = [await omar.hear("new_message") for _ in texts]
    assert [message["message"] for message in heard] == texts
    assert max(omar.batches) > 1


async def test_without_an_id_only_errors_come_back(maya, omar):
    await maya.tell("send_message", maya.message_to(omar))
    await omar.hear("new_message")
    await maya.tell("send_message", maya.message_to(omar, ""))
    error = await maya.error()
    assert (error["code"], error["field"]) == ("invalid", "message")
    assert not await maya.heard_so_far("ack", "error")


async def test_a_message_may_be_of_these_types(maya, omar):
    for message_type in ("general", "product", "order", "support"):
        message = await maya.send(omar, message_type=message_type)
        assert message["message_type"] == message_type


# --- Repeats --------------------------------------------------------------------------------------


async def test_a_repeat_is_answered_with_the_stored_message_and_told_to_nobody(maya, omar):
    data = maya.message_to(omar, client_id="c1")
    first, second = await maya.ask("send_message", data), await maya.ask("send_message", data)
    assert second == {"message": first["message"], "duplicate": True}
    assert len(await omar.heard_so_far("new_message")) == 1


async def test_a_repeat_tells_how_far_the_message_has_come(maya, omar):
    data = maya.message_to(omar, client_id="c1")
    message = (await maya.ask("send_message", data))["message"]
    await omar.ask("mark_as_read", {"message_id": message["id"]})
    again = (await maya.ask("send_message", data))["message"]
    assert (again["seq"], again["status"]) == (1, "read")


async def test_copies_sent_at_once_on_two_sockets_are_one_message(server, join, maya, omar):
    maya_too = await join(server, "Buyer", "maya")
    data = maya.message_to(omar, client_id="c1")
    asked = [(client, await client.start("send_message", data)) for client in [maya, maya_too] * 5]
    answers = [await client.answer(number) for client, number in asked]
    assert len({answer["message"]["id"] for answer in answers}) == 1
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 9
    assert len(await omar.heard_so_far("new_message")) == 1


async def test_a_repeat_through_the_other_door_is_the_same_message(server, maya, omar):
    token, path = server.token("Buyer", "maya"), "/api/messages/send"
    one, two = maya.message_to(omar, client_id="c1"), maya.message_to(omar, client_id="c2")
    first = await maya.ask("send_message", one)
    repeated = await call(server, "POST", path, one, token=token)
    assert (repeated.status, repeated.body) == (200, {"message": first["message"]})
    second = await call(server, "POST", path, two, token=token)
    assert await maya.ask("send_message", two) == {**second.body, "duplicate": True}
    assert [frame["data"]["seq"] for frame in await omar.heard_so_far("new_message")] == [1, 2]


async def test_a_client_id_with_another_text_or_recipient_is_a_conflict(server, join, maya, omar):
    vera = await join(server, "Seller", "vera")
    await maya.send(omar, "Hello", client_id="c1")
    for other in (maya.message_to(omar, "Hello!"), maya.message_to(vera, "Hello")):
        error = await maya.refusal("send_message", {**other, "client_id": "c1"})
        assert error["code"] == "conflict"
    assert not await vera.heard_so_far()
    assert (await maya.send(omar, client_id="c2"))["seq"] == 2


async def test_two_senders_may_use_the_same_client_id(maya, omar):
    await maya.send(omar, "Hello", client_id="c1")
    answer = await omar.ask("send_message", omar.message_to(maya, "Hello", client_id="c1"))
    assert (answer["duplicate"], answer["message"]["seq"]) == (False, 2)


# --- Texts ----------------------------------------------------------------------------------------


async def test_a_text_is_stored_as_typed_but_for_invisible_dirt(maya, omar):
    for typed, stored in (
        ("  trimmed \n", "trimmed"),
        ("two\n\tlines", "two\n\tlines"),
        ("a\x00b\x07c\x1bd\x7fe", "abcde"),
        ("old\r\nline", "old\nline"),
        (unicodedata.normalize("NFD", "Ångström"), unicodedata.normalize("NFC", "Ångström")),
        ("&lt;b&gt; <i>", "&lt;b&gt; <i>"),
        ("x" * 4000, "x" * 4000),
        ("🛎" * 4000, "🛎" * 4000),
        (" " * 3000 + "x" * 4000, "x" * 4000),
    ):
        await maya.send(omar, typed)
        assert (await omar.hear("new_message"))["message"] == stored


async def test_a_text_has_1_to_4000_characters(maya, omar):
    for typed in ("", "   \n\t", "\x00\x01", "x" * 4001, "🛎" * 4001):
        error = await maya.refusal("send_message", maya.message_to(omar, typed))
        assert (error["code"], error["field"]) == ("invalid", "message"), typed[:50]
        assert error["message"]


async def test_the_html_of_a_text_is_safe_with_links(maya, omar):
    html = (await maya.send(omar, "<i>&lt;</i>\nhttps://shop.example/?a=1&b=2"))["message_html"]
    assert "&lt;i&gt;&amp;lt;&lt;/i&gt;" in html
    assert 'href="https://shop.example/?a=1&amp;b=2"' in html
    assert 'rel="nofollow ugc noopener noreferrer"' in html
    for text in ("javascript:alert(1)", '<img src=x onerror="alert(1)">', "data:text/html,x"):
        assert "<" not in (await maya.send(omar, text))["message_html"]


async def test_a_subject_has_up_to_200_characters(maya, omar):
    assert (await maya.send(omar, subject="x" * 200))["subject"] == "x" * 200
    error = await maya.refusal("send_message", maya.message_to(omar, subject="x" * 201))
    assert (error["code"], error["field"]) == ("invalid", "subject")


# --- Refusals -------------------------------------------------------------------------------------


async def test_a_wrong_or_missing_field_is_named(maya, omar):
    good = maya.message_to(omar)
    wrong = [
        *(("recipient_id", value) for value in ("", "x" * 65, "om ar", "omar\n", "ömar")),
        *(("recipient_type", value) for value in ("seller", "Admin", "")),
        *(("message_type", value) for value in ("system", "urgent", "")),
        *(("client_id", value) for value in ("", "x" * 65)),
    ]
    for field, value in wrong:
        error = await maya.refusal("send_message", good | {field: value})
        assert (error["code"], error["field"]) == ("invalid", field), value
    for field in good:
        error = await maya.refusal("send_message", {k: v for k, v in good.items() if k != field})
        assert (error["code"], error["field"]) == ("invalid", field)
    assert not await omar.heard_so_far()


async def test_a_sender_may_say_who_they_are_and_nobody_else(maya, omar):
    await maya.send(omar, sender_id="maya", sender_type="Buyer")
    for lie in (
        {"sender_id": "lena"},
        {"sender_type": "Seller"},
        {"sender_id": "omar", "sender_type": "Seller"},
        {"sender_id": "lena", "sender_type": "Buyer"},
    ):
        error = await maya.refusal("send_message", maya.message_to(omar, "A lie", **lie))
        assert error["code"] == "forbidden"
    assert len(await omar.heard_so_far("new_message")) == 1


async def test_what_is_the_servers_to_say_is_not_taken_from_a_client(maya, omar):
    moments = ("created_at", "delivered_at", "read_at", "erased_at", "updated_at")
    told = dict.fromkeys(moments, "2001-01-01T00:00:00.000Z") | {
        "id": NOWHERE,
        "conversation_id": NOWHERE,
        "seq": 99,
        "status": "read",
        "sender_name": "Omar",
        "message_html": "<script>",
        "verified": True,
        "role": "admin",
    }
    message = await maya.send(omar, **told)
    assert message.keys() == MESSAGE
    assert not {key for key in message.keys() & told.keys() if message[key] == told[key]}
    assert (message["seq"], message["status"], message["sender_name"]) == (1, "sent", "Maya")


async def test_a_message_to_oneself_is_invalid(maya, omar):
    for client in (maya, omar):
        assert (await client.refusal("send_message", client.message_to(client)))[
            "code"
        ] == "invalid"


async def test_buyers_do_not_write_to_buyers_whether_or_not_these_exist(maya, lena):
    await lena.heard_so_far()
    known = await maya.refusal("send_message", maya.message_to(lena))
    lena.id = "nobody"
    assert await maya.refusal("send_message", maya.message_to(lena)) == known
    assert known["code"] == "forbidden"
    assert not await lena.heard_so_far()


async def test_sellers_write_to_sellers(server, join, omar):
    vera = await join(server, "Seller", "vera")
    message = await omar.send(vera)
    assert await vera.hear("new_message") == message


async def test_a_buyer_and_a_seller_of_the_same_id_are_two_participants(server, join, omar):
    buyer = await join(server, "Buyer", "omar")
    message = await buyer.send(omar)
    assert (message["sender_type"], message["recipient_type"]) == ("Buyer", "Seller")
    assert await omar.hear("new_message") == message
    assert not await buyer.heard_so_far("new_message")


# --- Who is known ---------------------------------------------------------------------------------


async def test_a_seller_is_known_once_registered_even_when_gone(server, connect, maya):
    vera = await connect(server, "Seller", "vera")
    assert (await maya.refusal("send_message", maya.message_to(vera)))["code"] == "not_found"
    await vera.ask("register_user")
    await vera.leave()
    assert (await maya.send(vera))["seq"] == 1


async def test_a_seller_with_an_account_is_known(server, maya):
    await server.shop.accounts.add_seller("vera", "Vera", None, "correct horse battery")
    data = {"recipient_id": "vera", "recipient_type": "Seller", "message": "Hello"}
    assert (await maya.ask("send_message", data))["message"]["seq"] == 1


async def test_a_buyer_is_known_by_a_socket_or_by_a_message(server, connect, join, omar, maya):
    lena = await connect(server, "Buyer", "lena")
    assert (await omar.refusal("send_message", omar.message_to(lena)))["code"] == "not_found"
    await lena.ask("register_user")
    assert (await omar.send(lena))["seq"] == 1
    await maya.send(omar)
    await maya.leave()
    assert (await omar.send(maya))["seq"] == 2
    vera = await join(server, "Seller", "vera")
    assert (await vera.send(maya))["seq"] == 1


async def test_a_fault_of_the_server_is_internal_and_ends_no_socket(
    server, maya, omar, monkeypatch, expected_errors
):
    expected_errors("ZeroDivisionError")

    def fault(*_):
        raise ZeroDivisionError

    await maya.send(omar)
    with monkeypatch.context() as patched:
        patched.setattr(server.shop.journal, "append", fault)
        with pytest.raises(Refused) as refused:
            await maya.send(omar)
    assert refused.value.data["code"] == "internal"
    assert "Zero" not in refused.value.data["message"]
    assert (await maya.send(omar))["seq"] == 2
