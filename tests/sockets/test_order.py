"""One socket's events take effect in the order sent."""


async def test_typing_that_was_sent_after_a_message_is_told_after_it(maya, omar):
    for number in range(10):
        sending = await maya.start("send_message", maya.message_to(omar, f"No. {number}"))
        await maya.tell(
            "typing", {"recipient_id": "omar", "recipient_type": "Seller", "is_typing": True}
        )
        await maya.answer(sending)
    heard = await omar.heard_so_far("new_message", "user_typing")
    assert [
        frame["data"].get("is_typing", frame["data"].get("message")) for frame in heard[:3]
    ] == ["No. 0", True, False]
    assert [f["data"]["seq"] for f in heard if f["event"] == "new_message"] == [*range(1, 11)]


async def test_reading_that_was_sent_after_a_message_counts_it(maya, omar):
    first = await omar.send(maya, "Hello")
    sending = await maya.start("send_message", maya.message_to(omar, "Hello"))
    read = await maya.ask(
        "mark_as_read", {"conversation_id": first["conversation_id"], "seq": 2**53}
    )
    assert (await maya.answer(sending))["message"]["seq"] == 2
    assert read == {"conversation_id": first["conversation_id"], "read_seq": 2, "unread": 0}


async def test_a_seller_with_an_account_bears_its_name(server, join):
    await server.shop.accounts.add_seller("nils", "Nils's Lamps", None, "a long enough password")
    await server.shop.accounts.refresh()
    nils = await join(server, "Seller", "nils", "somebody else")
    assert nils.ack["user"]["name"] == "Nils's Lamps"
    assert (await server.shop.history.seller("nils")).name == "Nils's Lamps"
