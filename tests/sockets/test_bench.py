"""The benchmark's clients against a real server: what they measure is what the contract says."""

import asyncio

from tests.bench.load import Crowd, Work
from tests.bench.people import Person
from tests.bench.storm import Away, storm

NAMES = ("ann", "bob")
SECONDS = 10


async def crowd(server):
    """Two pairs of buyer and seller, who know each other by now."""
    pairs = [
        (
            Person("Buyer", name, server.token("Buyer", name)),
            Person("Seller", f"{name}-s", server.token("Seller", f"{name}-s")),
        )
        for name in NAMES
    ]
    found = Crowd("shopbell", server.url)
    await found.pair(pairs)
    return found


async def test_a_closed_loop_counts_what_is_answered(serve):
    found = await crowd(await serve(rate_limits="off"))

    outcome = await found.run(Work("messages", seconds=0.3, warm=0, outstanding=2))

    assert outcome.count >= len(NAMES)
    assert outcome.missing == 0
    assert outcome.count <= len(outcome.latencies) <= outcome.count + 2 * len(NAMES)
    assert 0 < outcome.at(50) <= outcome.at(99)
    found.close()


async def test_an_open_loop_measures_from_the_moment_that_was_meant(serve):
    found = await crowd(await serve(rate_limits="off"))

    outcome = await found.run(Work("messages", seconds=0.5, warm=0, per_second=40))

    assert len(outcome.late) == len(outcome.latencies) > 5
    assert outcome.missing == 0
    found.close()


async def test_typing_and_receipts_are_heard(serve):
    found = await crowd(await serve(rate_limits="off"))

    typing = await found.run(Work("typing", seconds=0.2, warm=0, outstanding=2))
    receipts = await found.run(Work("receipts", seconds=0.4, warm=0, outstanding=1))

    assert typing.count > len(NAMES)
    assert typing.missing == 0
    assert receipts.count >= 1
    assert receipts.missing == 0
    found.close()


async def test_who_comes_back_gets_what_was_missed(serve):
    server = await serve(rate_limits="off")
    found = await crowd(server)
    writer, reader = found.sockets["Buyer:ann"], found.sockets["Seller:ann-s"]
    came = asyncio.get_running_loop().create_future()
    reader.on_message = came.set_result
    writer.send(1, reader.person)
    message = await asyncio.wait_for(came, SECONDS)
    found.close()

    away = Away(reader.person, message.conversation_id, known_seq=0, missed=1, history="")
    result = await storm("shopbell", server.url, [away])

    assert len(result.seconds) == 1
