"""Sockets that do nothing, and sockets that all come back at once."""

import time
from typing import Final

from tests.bench import people
from tests.bench.contest import FLOOR, MEETING, NODE, SHOPBELL, Contest, Growth
from tests.bench.filling import fill_all, over_a_year, talk
from tests.bench.load import Work
from tests.bench.measuring import KIBIBYTE, memory_bytes, percentile
from tests.bench.report import Row, Target
from tests.bench.storm import Away

IDLE: Final = (500, 2000, 5000)
TOLD: Final = (2000, 5000)
PAIRS: Final = 10  # there before the first look: what is loaded at first use is no socket's
REST_SECONDS: Final = 1.0
STORM: Final = 1000
KNOWN, MISSED = 1, 5  # messages
FILL_SECONDS: Final = 40
LONE_PER_SECOND: Final = 50


def idle(contest: Contest) -> None:
    """What a socket costs that is only there, and whether a message takes longer beside many. On
    servers just started, as freed memory would be used again."""
    plan = contest.plan
    each: dict[str, dict[int, float]] = {SHOPBELL: {}, NODE: {}, FLOOR: {}}
    opened: dict[str, list[float]] = {SHOPBELL: [], NODE: [], FLOOR: []}
    lone: dict[int, list[float]] = {}
    for server in contest.everybody:
        server.stop()
        server.start()
        contest.generator.pair("lone", server.protocol, server.url, people.pairs("lone", PAIRS))
        contest.generator.run("lone", MEETING)
        time.sleep(REST_SECONDS)
        before, there = memory_bytes(server.pid), 0
        for count in map(plan.size, TOLD[:1] if server is contest.floor else IDLE):
            crowd, begun = _idlers(count), time.perf_counter()
            contest.generator.open("idle", server.protocol, server.url, crowd)
            rate = (count - there) / (time.perf_counter() - begun)
            opened[server.protocol], there = [rate], count
            time.sleep(REST_SECONDS)
            each[server.protocol][count] = (memory_bytes(server.pid) - before) / count / KIBIBYTE
            if server is contest.shopbell:
                lone[count] = _lone(contest)
        contest.generator.leave()
    small = Target("value", "an idle socket, of 2,000: ≤ 10 KiB", at_most=10)
    fair = Target("peer", "an idle socket, of 2,000: ≤ 1.5 × the peer's", at_most=1.5)
    for count in map(plan.size, TOLD):
        targets = (small, fair) if count == plan.size(TOLD[0]) else ()
        ours, theirs, least = ([sizes[count]] if count in sizes else [] for sizes in each.values())
        contest.add(Row(f"{count:,} idle sockets", "KiB each", ours, theirs, least, targets))
    ours, theirs, least = opened.values()
    contest.add(Row("sockets opened and registered, 25 at a time", "a second", ours, theirs, least))
    costs = {count: [size] for count, size in each[SHOPBELL].items()}
    contest.grown(Growth("memory of an idle socket", "KiB", "idle sockets", costs))
    contest.grown(Growth("a lone message, sent to seen", "ms", "idle sockets", lone))


def _lone(contest: Contest) -> list[float]:
    """The milliseconds of messages one by one, beside all who say nothing."""
    plan, server = contest.plan, contest.shopbell
    work = Work("messages", plan.seconds, server.pids, plan.warm, per_second=LONE_PER_SECOND)
    return [contest.generator.run("lone", work).at(50)]


def _idlers(count: int) -> list[people.Person]:
    return [people.buyer(f"idle-{number}") for number in range(count)]


def reconnecting(contest: Contest) -> None:
    """A network comes back: 1,000 buyers connect in the same moment, each of whom missed five
    messages of their seller's."""
    count, seller = contest.plan.size(STORM), people.seller("storm")
    talks = [
        talk(people.buyer(f"storm-{number}"), seller, 1, KNOWN + MISSED, begun)
        for number, begun in enumerate(over_a_year(count))
    ]
    stored = fill_all(contest.jobs(talks), FILL_SECONDS)
    if min(stored) < count * (KNOWN + MISSED):
        contest.note("The reconnect storm was left out: filling the databases took long.")
        return
    path = f"/api/messages/conversation/{seller.id}/{seller.type}"
    crowd = [Away(one.buyer, one.id, KNOWN, MISSED, path) for one in talks]
    found: dict[str, list[float]] = {SHOPBELL: [], NODE: []}
    for server in contest.rivals:
        result = contest.generator.storm(server.protocol, server.url, crowd)
        found[server.protocol] = [1000 * seconds for seconds in result.seconds]
    for percent in (50, 100):
        ours, theirs = ([percentile(one, percent)] if one else [] for one in found.values())
        words = "half have all, ms" if percent == 50 else "all have all, ms"
        contest.add(Row(f"reconnect storm of {count:,} with `since`", words, ours, theirs))
