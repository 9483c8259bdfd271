"""Receipts that come doubled, late, out of order and from strangers."""

import random

import pytest

from tests.caller import call
from tests.chaos.checker import faults
from tests.chaos.history import conversation_of, told

MESSAGES, RECEIPTS = 20, 120
EVENTS = {"mark_as_delivered": "delivered_seq", "mark_as_read": "read_seq"}

pytestmark = [pytest.mark.chaos, pytest.mark.gen_test(timeout=60)]


async def shown_by_http(server, who, id_):
    """The watermarks of both, as a page shows them."""
    path = f"/api/messages/conversation/{id_}?limit=1"
    talk = (await call(server, "GET", path, token=server.token(*who))).body["conversation"]
    return {
        (person["id"], mark): person[mark]
        for person in talk["participants"]
        for mark in EVENTS.values()
    }


async def test_whatever_receipts_come_watermarks_only_grow_to_the_end(serve, join, history, seed):
    """P9: two devices of Omar's confirm by chance, again, backwards and past the end; Lena forges.

    Fails when ``$max`` in ``models/store.py`` becomes ``$set`` and the ledger takes what comes, or
    when a ``seq`` past the last is not clamped.
    """
    chance = random.Random(seed)
    server = await serve(rate_limits="off")
    maya, lena = await join(server, "Buyer", "maya"), await join(server, "Buyer", "lena")
    devices = [await join(server, "Seller", "omar") for _ in range(2)]
    messages = await maya.send_many(devices[0], [f"number {n}" for n in range(MESSAGES)])
    room, talk = messages[0]["conversation_id"], conversation_of(messages[0])
    expected = {"delivered_seq": 0, "read_seq": 0}
    for number in range(RECEIPTS):
        event = chance.choice(list(EVENTS))
        seq = min(chance.randrange(1, MESSAGES + 9), number // 4 + 1)  # some wait for the end
        if number > RECEIPTS - 10:
            seq = 2**40
        forged = await lena.refusal(event, {"conversation_id": room, "seq": MESSAGES})
        assert forged["code"] == "forbidden"
        answer = await chance.choice(devices).ask(event, {"conversation_id": room, "seq": seq})
        mark = EVENTS[event]
        expected[mark] = max(expected[mark], min(seq, MESSAGES))
        if mark == "read_seq":
            expected["delivered_seq"] = max(expected.values())  # what was read had arrived
        assert answer[mark] == expected[mark]
        history.add("omar", "Seller:omar", "receipt", talk, note=mark, seq=answer[mark])
    for frame in await maya.heard_so_far("message_delivered", "message_read"):
        note, seq = f"{frame['event']} told to maya", frame["data"]["seq"]
        history.add("maya", "Buyer:maya", "receipt", talk, note=note, seq=seq)
    for message in messages:
        history.add_message("truth", "Seller:omar", "stored", message)
    found = [fault for fault in faults(history) if not fault.startswith("phantom")]  # unheard of
    assert not found, told(found, seed)
    own = await maya.refusal("mark_as_read", {"message_id": messages[3]["id"]})
    assert own["code"] == "forbidden"
    before = await shown_by_http(server, ("Buyer", "maya"), "omar/Seller")
    assert before["omar", "read_seq"] == before["omar", "delivered_seq"] == MESSAGES
    after = await shown_by_http(await serve(), ("Buyer", "maya"), "omar/Seller")
    assert after == before  # another process reads what this one has stored
