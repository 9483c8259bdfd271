"""The real ``realtime.js`` comes back after whatever the network does to it: exactly once, in
order."""

import asyncio
from contextlib import suppress

import pytest

from tests.chaos import tabs
from tests.chaos.checker import faults
from tests.chaos.history import told
from tests.chaos.people import read_all
from tests.chaos.tabs import Tabs
from tests.chaos.wire import Frames, is_event

STRIKES = 25
MAYA, OMAR = ("Buyer", "maya"), ("Seller", "omar")

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.gen_test(timeout=120),
    pytest.mark.skipif(tabs.is_missing, reason="apt-get install nodejs"),
]


async def connected(browser, *names):
    await browser.until(lambda: all(browser.of(name, "registered") for name in names))


async def all_is_shown(browser, server, history, *names):
    """Waits until nothing is under way, reads the truth, and until each tab shows it."""
    sent = {line.client_id for line in history if line.op == "send" and line.state == "invoke"}

    def is_answered():
        return sent <= {line.client_id for line in history if line.state == "ok"}

    await browser.until(is_answered)
    ends = await read_all(server, history, *OMAR)
    stored = {(end.talk, seq) for end in ends.values() for seq in range(1, end.seq + 1)}

    def is_shown():
        shown = {(line.client, line.conversation, line.seq) for line in history if line.seq}
        return all((name, *place) in shown for name in names for place in stored)

    with suppress(TimeoutError):  # the checker says what is missing
        await browser.until(is_shown)
    for name in names:
        browser.end(name)


async def test_after_any_cut_every_tab_shows_every_message_once_and_in_order(
    server, door, browser, history, seed
):
    """P3, P5, P26: two tabs of Maya's and one of Omar's write while their connections are reset,
    cut at any byte, closed by half, and slowed down.

    Both sides heal alone: without ``since``, or without the server's holding back, gaps are seen
    and asked for. Fails when ``outgoing.js`` does not send again what was cut off.
    """
    url = door.uri(server.url)
    names = [
        browser.open(server, *MAYA, "tab 1", url=url),
        browser.open(server, *MAYA, "tab 2", url=url),
    ]
    names.append(browser.open(server, *OMAR, "desk", url=url))
    await connected(browser, *names)
    for strike in range(STRIKES):
        for name in names:
            browser.send(name, MAYA if name.startswith("omar") else OMAR, f"number {strike}")
        await asyncio.sleep(door.random.uniform(0, 0.12))
        door.strike()
    door.heal()
    await all_is_shown(browser, server, history, *names)
    assert not faults(history), told(faults(history), seed)
    cuts = [line for line in browser.told if line.get("state") == "waiting"]
    assert len(cuts) > STRIKES / 5, told([], seed)  # they were cut


async def test_a_push_that_was_lost_is_found_by_the_next_message(
    server, door, browser, history, seed
):
    """P7: the proxy loses whole ``new_message`` frames; the jump in ``seq`` tells.

    Fails when ``arrivals.js`` does not watch for gaps.
    """
    is_losing = False
    frames = Frames(lambda text: is_losing and is_event(text, "new_message"))
    door.filter("down", frames.without_some)
    maya = browser.open(server, *MAYA, "tab", url=door.uri(server.url))
    omar = browser.open(server, *OMAR, "desk")
    await connected(browser, maya, omar)
    browser.send(maya, OMAR, "Hello")
    await browser.until(lambda: browser.of(maya, "stored"))
    is_losing = True
    for number in range(3):
        browser.send(omar, MAYA, f"lost {number}")
    await browser.until(lambda: frames.lost >= 1 and len(browser.of(omar, "stored")) == 3)
    is_losing = False
    browser.send(omar, MAYA, "and found")
    await all_is_shown(browser, server, history, maya, omar)
    assert not faults(history), told(faults(history), seed)
    assert len(browser.of(maya, "registered")) > 1  # it asked, on the same connection
    assert not [line for line in browser.of(maya, "connection") if line["state"] == "waiting"]


async def test_three_tabs_of_one_person_converge_and_one_that_is_killed_loses_nothing(
    server, browser, history, seed
):
    """P26: what one tab sends is shown by the others once, and what a killed one was sending is
    stored at most once and shown by all.

    Fails when ``models/chat.py`` tells a message to its recipient only.
    """
    names = [browser.open(server, *MAYA, f"tab {number}") for number in (1, 2)]
    names.append(browser.open(server, *OMAR, "desk"))
    async with Tabs(history, seed=seed) as other:
        third = other.open(server, *MAYA, "tab 3")
        await connected(browser, *names)
        await connected(other, third)
        for number in range(10):
            for name in names[:2]:
                browser.send(name, OMAR, f"number {number}")
            browser.send(names[2], MAYA, f"number {number}")
            other.send(third, OMAR, f"number {number}")
        await other.until(lambda: other.of(third, "stored"))
        await other.kill()
    typed = {line.client_id for line in history if line.client == third and line.state == "invoke"}
    acked = {line.client_id for line in history if line.client == third and line.state == "ok"}
    for client_id in sorted(typed - acked, key=lambda id_: int(id_.rpartition("-")[2])):
        # Another tab takes over what the outbox holds, under the same client_id.
        number = int(client_id.rpartition("-")[2]) - 1
        browser.send(names[0], OMAR, f"number {number}", client_id)
    await all_is_shown(browser, server, history, *names)
    assert not faults(history), told(faults(history), seed)
