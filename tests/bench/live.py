"""What goes on between people who are there: messages, typing, receipts."""

from functools import partial
from statistics import median
from typing import Final

from tests.bench import people
from tests.bench.contest import FLOOR, NODE, SHOPBELL, Contest, Plan, row
from tests.bench.load import Outcome, Work
from tests.bench.report import Row, Target
from tests.bench.servers import Server

OUTSTANDING: Final = 4
PAIRS: Final = 100  # of an open loop
ROUND_SIZE: Final = 500  # models/journal.py
LEVELS: Final = (100, 400)
MORE_LEVELS: Final = (200, 1000)  # one round
PERCENTS: Final = (50, 90, 99, 99.9, 100)
TYPING_PER_SECOND: Final = 2000
BUYERS: Final = 200


def p50(outcome: Outcome) -> float:
    return outcome.at(50)


def p99(outcome: Outcome) -> float:
    return outcome.at(99)


def server_cpu(outcome: Outcome) -> float:
    return outcome.cpu_each(0)


def all_cpu(outcome: Outcome) -> float:
    """Of the server and its database."""
    return outcome.cpu_each(*range(len(outcome.cpu)))


def saturation(contest: Contest, pairs: int) -> None:
    """Everybody has four messages under way, always."""
    plan, batch = contest.plan, min(ROUND_SIZE, pairs * OUTSTANDING)
    seconds = plan.seconds * max(1, pairs / 100)  # several rounds of the journal
    limits: list[float] = []
    contest.generator.limit(contest.database.uri, contest.prefix + "limit", pairs)
    [found] = contest.play(
        contest.rivals,
        people.pairs("pair", pairs),
        lambda server: Work(
            "messages", seconds, server.pids, warm=plan.warm, outstanding=OUTSTANDING
        ),
        between=lambda: limits.append(contest.generator.limit_rate(batch, plan.seconds)),
    )
    name = f"saturation, {pairs} pairs"
    five = Target("peer", f"{name}: ≥ 5 × the peer's messages/s", at_least=5)
    near = Target("limit", f"{name}: ≥ 0.8 × raw insert_many", at_least=0.8)
    less = Target("peer", f"{name}: server CPU a message ≤ 1/4 of the peer's", at_most=0.25)
    contest.add(
        row(name, "messages/s", found, lambda one: one.rate, limit=limits, targets=(five, near)),
        row(name, "p50 ms", found, p50),
        row(name, "p99 ms", found, p99),
        row(name, "server CPU, ms a message", found, server_cpu, targets=(less,)),
        row(name, "server and database CPU, ms a message", found, all_cpu),
    )


def offered(contest: Contest) -> None:
    """Messages come when people write them, whatever the server does."""
    plan, pairs = contest.plan, people.pairs("pair", PAIRS)
    found: dict[float, dict[str, list[Outcome]]] = {}
    works = [partial(_offer, plan, rate) for rate in LEVELS]
    for rate, of_rate in zip(LEVELS, contest.play(contest.everybody, pairs, *works), strict=True):
        fifth = Target("peer", "open loop, 400/s: p99 ≤ 1/5 of the peer's", at_most=0.2)
        _tell_level(contest, rate, of_rate, *([fifth] if rate == 400 else []))
        found[rate] = of_rate
    slow = Target("peer", "open loop, 400/s: p50 ≤ the peer's p50 at 100/s", at_most=1)
    ours, theirs = found[400][SHOPBELL], found[100][NODE]
    name = "open loop, 400/s beside the peer at 100/s"
    contest.add(Row(name, "p50 ms", list(map(p50, ours)), list(map(p50, theirs)), targets=(slow,)))
    late = [1000 * median(one.late) for level in found.values() for one in level[SHOPBELL]]
    contest.note(f"The open loop sent {median(late):.2f} ms late (median).")


def _tell_level(
    contest: Contest, rate: float, found: dict[str, list[Outcome]], *targets: Target
) -> None:
    """The whole distribution. The targets are those of its p99."""
    contest.note_curve(rate, found)
    name = f"open loop, {rate:,}/s"
    for percent in PERCENTS:
        words = f"p{percent:g} ms" if percent < 100 else "longest ms"
        at = partial(Outcome.at, percent=percent)
        contest.add(row(name, words, found, at, targets=targets if percent == 99 else ()))
    contest.add(row(name, "server CPU, ms a message", found, server_cpu))


def _offer(plan: Plan, per_second: float, server: Server) -> Work:
    return Work("messages", plan.seconds, server.pids, warm=plan.warm, per_second=per_second)


def more_levels(contest: Contest) -> None:
    """Single rounds between and above."""
    with contest.crowds(contest.everybody, people.pairs("pair", PAIRS)) as run:
        for rate in MORE_LEVELS:
            found: dict[str, list[Outcome]] = {SHOPBELL: [], NODE: [], FLOOR: []}
            for server in contest.everybody:
                found[server.protocol].append(run(server, _offer(contest.plan, rate, server)))
            _tell_level(contest, rate, found)


def hot(contest: Contest) -> None:
    """Two who write to each other as fast as they can: all numbers are of one conversation."""
    [(buyer, seller)] = people.pairs("hot", 1)
    plan = contest.plan
    [found] = contest.play(
        contest.rivals,
        [(buyer, seller), (seller, buyer)],
        lambda server: Work("messages", plan.seconds, server.pids, warm=plan.warm, outstanding=16),
    )
    name = "one hot conversation, 2 × 16 under way"
    contest.add(
        row(name, "messages/s", found, lambda one: one.rate),
        row(name, "p99 ms", found, p99),
    )


def busy_seller(contest: Contest) -> None:
    """Many buyers write to one seller at once."""
    plan, seller = contest.plan, people.seller("busy")
    buyers = [people.buyer(f"crowd-{n}") for n in range(plan.size(BUYERS))]
    [found] = contest.play(
        contest.rivals,
        [(buyer, seller) for buyer in buyers],
        lambda server: Work("messages", plan.seconds, server.pids, warm=plan.warm, outstanding=1),
    )
    name = f"a seller with {len(buyers)} buyers"
    contest.add(
        row(name, "messages/s", found, lambda one: one.rate),
        row(name, "p99 ms", found, p99),
    )


def typing(contest: Contest) -> None:
    """Who types is passed on and not stored: what the live side costs by itself."""
    plan = contest.plan

    def work(server: Server, outstanding: int = 0, per_second: float = 0) -> Work:
        return Work("typing", plan.seconds, server.pids, plan.warm, outstanding, per_second)

    fast, steady = contest.play(
        contest.everybody,
        people.pairs("pair", PAIRS),
        partial(work, outstanding=OUTSTANDING),
        partial(work, per_second=TYPING_PER_SECOND),
    )
    near = Target("limit", "typing: ≥ 0.7 × the echo's events/s", at_least=0.7)
    contest.add(
        row("typing, as fast as it goes", "events/s", fast, lambda o: o.rate, targets=(near,)),
        row("typing, as fast as it goes", "server CPU, ms an event", fast, server_cpu),
    )
    name = f"typing, {TYPING_PER_SECOND:,}/s"
    contest.add(
        row(name, "p50 ms", steady, p50),
        row(name, "p99 ms", steady, p99),
        row(name, "server CPU, ms an event", steady, server_cpu),
    )
    assert fast[FLOOR], "the floor was not measured"


def receipts(contest: Contest) -> None:
    """A message, read at once, until the one who wrote it knows: two journaled writes, in turn."""
    plan = contest.plan
    [found] = contest.play(
        contest.rivals,
        people.pairs("pair", 50),
        lambda server: Work("receipts", plan.seconds, server.pids, warm=plan.warm, outstanding=1),
    )
    name = "written, read, and told so, 50 pairs"
    contest.add(
        row(name, "a second", found, lambda one: one.rate),
        row(name, "p50 ms", found, p50),
        row(name, "p99 ms", found, p99),
    )
