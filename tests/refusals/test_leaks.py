"""P18, S14, C25, C31: only the two participants get anything of a conversation.

The oracle: every text carries its conversation's canary, and nobody else may ever meet it, on
whichever socket and behind whichever door. The chaos tests hold the same while things break
(``chaos/checker.py``).
"""

import random

from tests.caller import call
from tests.chaos.history import canaries, canary, key, pair
from tests.refusals.doors import EVERYBODY, IDENTITY_SECRET, PASSWORD, READING, knock
from tests.sockets.client import Refused

SELLERS = [("Seller", id_) for id_ in ("omar", "vera", "ines")]
BUYERS = [("Buyer", id_) for id_ in ("maya", "lena", "guest-0123456789abcdef0123456789abcdef")]
SEED, STEPS = 7, 200


def foreign(who, text):
    """The canaries in a text that are none of somebody's business."""
    own = {canary(pair(key(*who), key(*other))) for other in (*SELLERS, *BUYERS)}
    return set(canaries(text)) - own


async def do_something(chance, tab, other, rooms):
    """One event of the table, as somebody curious would send it; what is refused is refused."""
    word = canary(pair(key(tab.type, tab.id), key(other.type, other.id)))
    to = {"recipient_id": other.id, "recipient_type": other.type}
    events = [
        ("send_message", {**to, "message": f"{word} Hello", "subject": word}),
        ("send_message", {**to, "message": f"{word} Hello", "subject": word}),
        ("typing", {**to, "is_typing": chance.random() < 0.7}),
        ("update_status", {"status": chance.choice(["online", "away", "offline"])}),
    ]
    if rooms:
        room, seq = chance.choice(rooms), chance.randint(1, 5)
        events += [
            ("join_room", {"room": room}),
            ("leave_room", {"room": room}),
            ("mark_as_read", {"conversation_id": room, "seq": seq}),
            ("mark_as_delivered", {"conversation_id": room, "seq": seq}),
            ("register_user", {"since": dict.fromkeys(rooms, 0)}),
        ]
    event, data = chance.choice(events)
    try:
        answer = await tab.ask(event, data)
    except Refused:
        return
    if event == "send_message" and answer["message"]["conversation_id"] not in rooms:
        rooms.append(answer["message"]["conversation_id"])


async def test_p18_c25_no_canary_of_others_on_any_socket_or_page(shop, join, vouch):
    """C25: Zulip CVE-2022-31017 sent an event to more people than might see it.

    Everybody, in two tabs each, does everything at random, with ids of everybody's conversations;
    then everybody looks behind every door. Fails when ``Hub.publish`` tells everybody, or when
    ``History.own`` does not ask whose a conversation is."""
    chance = random.Random(SEED)
    tabs = [await join(shop, *who) for who in (*SELLERS, *BUYERS) for _ in range(2)]
    rooms: list[str] = []
    for _ in range(STEPS):
        tab, other = chance.sample(tabs, 2)
        await do_something(chance, tab, other, rooms)
    assert len(rooms) > 8
    for tab in tabs:
        await tab.heard_so_far()
        assert not foreign((tab.type, tab.id), "".join(tab.texts)), (tab.type, tab.id)
    assert sum(len(list(canaries("".join(tab.texts)))) for tab in tabs) > STEPS

    names = {"message": "0" * 24, "conversation": rooms[0], "identity": vouch()}
    met = 0
    personal = [door for door in READING if door.who != EVERYBODY or "/chat/" in door.address]
    for who in (*SELLERS, *BUYERS):
        own = shop.token(*who)
        for door in personal:
            for room in rooms if "{conversation}" in door.address else rooms[:1]:
                how = {"cookie": own} if door.is_page else {"token": own}
                answer = await knock(shop, door, names | {"conversation": room}, **how)
                assert not foreign(who, str(answer.body)), (who, door)
                met += len(list(canaries(str(answer.body))))
    assert met > STEPS


async def test_p18_c31_an_answer_reaches_only_the_socket_that_asked(shop, join):
    """C31: Mattermost GHSA-q7rx-w656-fwmv sent one's own reply to others. Not even to another tab
    of the same person; fails when ``_acknowledge`` publishes."""
    maya, too = [await join(shop, "Buyer", "maya") for _ in range(2)]
    omar = await join(shop, "Seller", "omar")
    room = (await maya.send(omar, "Hello"))["conversation_id"]
    for event, data in (
        ("join_room", {"room": room}),
        ("leave_room", {"room": room}),
        ("update_status", {"status": "away"}),
        ("mark_as_delivered", {"conversation_id": room, "seq": 1}),
        ("register_user", {"since": {room: 0}}),
        ("typing", {"recipient_id": "omar", "recipient_type": "Seller", "is_typing": True}),
        ("join_room", {}),
        ("nonsense", {}),
    ):
        await maya.tell(event, data, id="an id of Maya's")
        await maya.hear_answer("an id of Maya's")
    for client in (too, omar):
        assert not await client.heard_so_far("ack", "error", "online_users")
        assert "an id of Maya's" not in "".join(client.texts)


MAIL, AGENT, ADDRESS = "canary@mail.example", "Canary/1.0", "203.0.113.77"


async def test_s14_nobody_learns_anothers_mail_address_or_browser(serve, vouch, connect):
    """What both sides said of themselves by the way is in nothing that either of them is shown.

    Fails when a struct of the wire, or a page, gets a field of a person's record."""
    server = await serve(
        rate_limits="off", identity_secret=IDENTITY_SECRET, trusted_proxies="127.0.0.1"
    )
    said = {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS}
    await server.shop.accounts.add_seller("omar", "Omar", MAIL, PASSWORD)
    login = {"id": "omar", "password": PASSWORD}
    assert (await call(server, "POST", "/login", form=login, headers=said)).status == 303
    vouched = {"identity": vouch("maya", email=MAIL)}
    identified = await call(server, "POST", "/api/session/identify", vouched, headers=said)
    tokens = {"Buyer": identified.body["token"], "Seller": server.token("Seller", "omar")}
    maya, omar = [
        await connect(server, type_, id_, token=tokens[type_], headers=said)
        for type_, id_ in (("Buyer", "maya"), ("Seller", "omar"))
    ]
    await omar.ask("register_user")
    await maya.ask("register_user", {"seller_id": "omar"})
    room = (await maya.send(omar, "Hello"))["conversation_id"]
    await omar.send(maya, "Hello!")
    for client, other in ((maya, omar), (omar, maya)):
        to = {"recipient_id": other.id, "recipient_type": other.type}
        await client.ask("typing", {**to, "is_typing": True})
        await client.ask("mark_as_read", {"conversation_id": room, "seq": 2})
        await client.ask("update_status", {"status": "away"})
        await client.ask("join_room", {"room": room})
    shown = []
    for client in (maya, omar):
        await client.heard_so_far()
        shown += client.texts
    names = {"message": "0" * 24, "conversation": room, "identity": vouch()}
    for token in tokens.values():
        for door in READING:
            how = {"cookie": token} if door.is_page else {"token": token}
            shown.append(str((await knock(server, door, names, headers=said, **how)).body))
    assert "maya" in "".join(shown)
    for canary_ in (MAIL, "mail.example", AGENT, ADDRESS, "argon2", "password_hash"):
        assert not [text for text in shown if canary_ in text], canary_
