"""S11, S13, P25, C6, C10, C16, C27: who somebody is, and that saying so changes nothing."""

import asyncio

import jwt
import pytest

from tests.caller import call
from tests.contract import MESSAGE, USER
from tests.refusals.doors import CLOSED, TO_OMAR, is_turned_away, knock

GUEST, IDENTIFY = "/api/session/guest", "/api/session/identify"
LIST = "/api/conversations"
LONG_AGO = "2020-01-01T00:00:00.000Z"
# What only the server says.
FORGED = {
    "id": "0" * 24,
    "seq": 99,
    "status": "read",
    "created_at": LONG_AGO,
    "read_at": LONG_AGO,
    "delivered_seq": 99,
    "read_seq": 99,
    "message_html": "<b>x</b>",
    "sender_name": "Omar",
    "name": "Omar",
    "type": "Seller",
    "user": "omar",
    "who": "Seller:omar",
    "role": "admin",
    "is_admin": True,
    "verified": True,
    "disabled": False,
    "password_hash": "x",
    "tokens_valid_from": 0,
}


async def test_c6_c18_s11_an_id_alone_is_no_credential(shop, names):
    """C6: Rocket.Chat's live chat, and C18: HiJiffy CVE-2026-4263, gave a visitor's history to
    whoever said that visitor's id. Wherever an id could be said: it introduces nobody, and no
    visitor chooses theirs.

    Fails when ``BaseHandler._find_who`` reads anything but tokens, or a guest's id is taken from
    the request."""
    said = "id=maya&user_id=maya&user_type=Buyer&visitor=maya&sender_id=maya&session=maya"
    headers = {
        "X-User-Id": "maya",
        "X-Visitor": "maya",
        "X-Forwarded-User": "maya",
        "Remote-User": "maya",
        "Authorization": "Basic bWF5YTo=",  # maya, without a password
    }
    for door in CLOSED:
        for cookie in ("maya", "Buyer:maya", "guest-" + "0" * 32):
            answer = await knock(shop, door, names, cookie=cookie, query=said, headers=headers)
            assert is_turned_away(answer), door
        answer = await knock(shop, door, names, token="Buyer:maya", query=said)
        assert is_turned_away(answer), door
    guest = (await call(shop, "POST", GUEST, {"seller_id": "omar"})).body
    await call(shop, "POST", "/api/messages/send", TO_OMAR, token=guest["token"])
    for name in ("id", "user_id", "guest_id", "visitor", "session", "sub", "user"):
        body = {"seller_id": "omar", name: guest["user"]["id"]}
        other = (await call(shop, "POST", GUEST, body)).body
        assert other["user"]["id"] != guest["user"]["id"], name
        listed = await call(shop, "GET", LIST, token=other["token"])
        assert listed.body["conversations"] == [], name


async def test_c10_c27_s13_nobody_says_of_themselves_who_they_are(shop, join, names, written):
    """C10: Rocket.Chat CVE-2026-55666, C27: Zulip CVE-2022-31168: identity or role from the body.

    What is the server's to say, said by a client in every event, body and form. Fails when a
    decoded struct gets one of these fields and the domain believes it."""
    lena = await join(shop, "Buyer", "lena", "Lena")
    ack = await lena.ask("register_user", FORGED)
    assert ack["user"] == {"id": "lena", "type": "Buyer", "name": "Lena", "verified": True}
    extra = {name: value for name, value in FORGED.items() if name != "status"}
    own = (await lena.ask("send_message", extra | TO_OMAR | {"client_id": "c1"}))["message"]
    assert own.keys() == MESSAGE
    assert (own["sender_id"], own["sender_type"], own["sender_name"]) == ("lena", "Buyer", "Lena")
    assert (own["seq"], own["status"], own["message_html"]) == (1, "sent", "Hello")
    assert own["created_at"] > "2026"
    assert own["id"] != FORGED["id"]

    token = shop.token("Buyer", "lena", "Lena")
    sent = await call(shop, "POST", "/api/messages/send", extra | TO_OMAR, token=token)
    assert sent.body["message"]["sender_id"] == "lena"
    guest = await call(shop, "POST", GUEST, extra | {"seller_id": "omar"})
    assert guest.body["user"].keys() == USER
    assert (guest.body["user"]["type"], guest.body["user"]["verified"]) == ("Buyer", False)
    said = extra | {"identity": names["identity"], "sub": "maya"}
    noor = await call(shop, "POST", IDENTIFY, said)
    assert (noor.body["user"]["id"], noor.body["user"]["type"]) == ("noor", "Buyer")

    before = (await written())["participants"]
    texts = {name: str(value) for name, value in FORGED.items()} | {"greeting": ""}
    omar = shop.token("Seller", "omar")
    settings = await call(
        shop, "POST", "/inbox/settings", form=texts, cookie=omar, headers={"Origin": shop.url}
    )
    assert settings.status == 303
    assert (await written())["participants"] == before


@pytest.mark.parametrize("lie", [("sender_id", "omar"), ("sender_type", "Seller")])
async def test_c10_another_sender_is_forbidden_at_both_doors(shop, join, written, lie):
    before = await written()
    lena = await join(shop, "Buyer", "lena")
    data = TO_OMAR | dict([lie])
    assert (await lena.refusal("send_message", data))["code"] == "forbidden"
    token = shop.token("Buyer", "lena")
    answer = await call(shop, "POST", "/api/messages/send", data, token=token)
    assert answer.refusal == (403, "forbidden")
    assert await written() == before


async def test_c16_p25_what_somebody_types_of_themselves_opens_no_conversation(shop, names, vouch):
    """C16: ChatterMate GHSA-rfh4-6ghv-m2rr: typing a customer's e-mail address opened their
    conversation. A name, a mail address, an order number, ids of all kinds, where they can be
    typed; only the token, or what the shop's back end signed, regains anything.

    Fails when ``Guests.identify`` or ``Accounts.guest`` looks anybody up by what they say."""
    said = {"sub": "maya", "name": "Maya", "email": "maya@mail.example"}
    maya = {"identity": vouch("maya", email="maya@mail.example")}
    token = (await call(shop, "POST", IDENTIFY, maya)).body["token"]
    assert len((await call(shop, "GET", LIST, token=token)).body["conversations"]) == 1
    typed = said | {
        "id": "maya",
        "user_id": "maya",
        "order": "4711",
        "conversation_id": names["conversation"],
    }
    guest = await call(shop, "POST", GUEST, typed | {"seller_id": "omar"})
    form = {"message": "Hello", "client_id": "c1", "name": "Maya", "email": "maya@mail.example"}
    page = await call(shop, "POST", "/chat/omar", form=form)
    forged = jwt.encode(said | {"exp": 4_000_000_000}, "x" * 32, algorithm="HS256")
    assert (await call(shop, "POST", IDENTIFY, {"identity": forged})).status == 401
    namesake = await call(
        shop, "POST", IDENTIFY, {"identity": vouch("rosa", **{**said, "sub": "rosa"})}
    )
    for session in (guest.body["token"], page.session, namesake.body["token"]):
        assert names["conversation"] not in str((await call(shop, "GET", LIST, token=session)).body)
        chat = await call(shop, "GET", "/chat/omar", cookie=session)
        assert "canary" not in chat.body


async def test_p25_a_guests_conversation_passes_once_and_the_guest_is_over(shop, vouch, join):
    """Two buyers at once show the same guest's token: one gets the conversation, the guest's socket
    ends, and nobody writes as the guest any more.

    Fails when ``Guests._hand_over`` does not end the guest first."""
    guest = (await call(shop, "POST", GUEST, {"seller_id": "omar"})).body
    socket = await join(shop, "Buyer", guest["user"]["id"], token=guest["token"])
    await socket.ask("send_message", TO_OMAR | {"message": "A guest's"})
    identified = await asyncio.gather(
        *(
            call(shop, "POST", IDENTIFY, {"identity": vouch(id_), "guest_token": guest["token"]})
            for id_ in ("rosa", "noor", "ines")
        )
    )
    assert [answer.status for answer in identified] == [200] * 3
    lists = [await call(shop, "GET", LIST, token=answer.body["token"]) for answer in identified]
    assert sorted(len(answer.body["conversations"]) for answer in lists) == [0, 0, 1]
    assert await socket.closed() == 4401
    for method, path, body in (("GET", LIST, None), ("POST", "/api/messages/send", TO_OMAR)):
        answer = await call(shop, method, path, body, token=guest["token"])
        assert answer.refusal == (401, "unauthorized")
