"""Who competes, how long, and what came out of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench.filling import Job, NodeShelf, Shelf, ShopbellShelf, Talk
from tests.bench.generator import Generator
from tests.bench.load import Outcome, Work
from tests.bench.people import Person
from tests.bench.report import Row
from tests.bench.servers import Database, Floor, NodePeer, Server, Shopbell

SHOPBELL, NODE, FLOOR = "shopbell", "node", "echo"
MEETING: Final = Work("messages", seconds=0.1, warm=0, outstanding=1)


@dataclass(frozen=True)
class Plan:
    """How much is done. ``shrink`` divides sizes that take time: sockets, stored messages."""

    rounds: int = 3
    seconds: float = 1.5
    warm: float = 0.5
    shrink: int = 1
    messages: int = 100_000  # in one conversation

    def size(self, full: int) -> int:
        return max(1, full // self.shrink)


QUICK: Final = Plan(rounds=1, seconds=0.5, warm=0.2, shrink=50)


@dataclass(frozen=True)
class Growth:
    """What one thing costs Shopbell, by how much there is of another."""

    words: str
    unit: str
    of: str
    costs: Mapping[int, Sequence[float]]


@dataclass
class Findings:
    """What came out of it."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # By offered messages a second and protocol, the median p50 and p99 in milliseconds.
    curve: dict[str, dict[float, tuple[float, float]]] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)


@dataclass
class Contest:
    """The servers that run. Without a peer its columns stay empty."""

    plan: Plan
    generator: Generator
    shopbell: Shopbell
    floor: Floor
    database: Database
    peer: NodePeer | None
    prefix: str  # of the databases' names
    directory: Path  # goes at the end
    say: Callable[[str], None] = lambda line: None
    findings: Findings = field(default_factory=Findings)

    @property
    def everybody(self) -> list[Server]:
        """The rivals, and the floor."""
        return [*self.rivals, self.floor]

    @property
    def rivals(self) -> list[Server]:
        """Who can all that is asked: Shopbell and its peer."""
        return [self.shopbell, *([self.peer] if self.peer else [])]

    def add(self, *rows: Row) -> None:
        self.findings.rows += rows
        for row in rows:
            self.say("  " + "  ".join(text for text in row.cells if text))

    def note(self, words: str) -> None:
        """What has to be known to judge the figures."""
        self.findings.notes.append(words)

    def grown(self, growth: Growth) -> None:
        self.findings.growth.append(growth)

    def jobs(self, talks: Sequence[Talk]) -> list[Job]:
        """To put the same into the databases of all who compete."""
        shelves: list[Shelf] = [ShopbellShelf.of(self.shopbell)]
        if self.peer:
            shelves.append(NodeShelf.of(self.peer))
        return [(shelf, talks) for shelf in shelves]

    @contextmanager
    def another(self, name: str) -> Iterator["Contest"]:
        """The same rivals once more, on databases of their own."""
        uri = None if self.database.pids else self.database.uri
        with ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(dir=self.directory)))
            shop, peer = Shopbell(directory, uri, f"{self.prefix}{name}"), None
            if self.peer:
                peer = NodePeer(directory, self.database, f"{self.prefix}{name}_node")
                peer.packages = self.peer.packages
            other = replace(self, shopbell=shop, peer=peer)
            for server in other.rivals:
                stack.callback(server.stop)
                server.start()
            yield other

    def turns(self, servers: Sequence[Server]) -> Iterator[Server]:
        """Each as often as there are rounds, in turn; who begins changes from round to round."""
        for number in range(self.plan.rounds):
            yield from servers if number % 2 == 0 else reversed(servers)

    @contextmanager
    def crowds(
        self, servers: Sequence[Server], pairs: Sequence[tuple[Person, Person]]
    ) -> Iterator[Callable[[Server, Work], Outcome]]:
        """The same people on all of these servers; gives what puts a load on one of them. Who was
        asked for more than it can do is started anew, else the next round would find the rest."""

        def meet(server: Server) -> None:
            self.generator.pair(server.protocol, server.protocol, server.url, pairs)
            self.generator.run(server.protocol, MEETING)  # conversations begin before the rounds

        def run(server: Server, work: Work) -> Outcome:
            outcome = self.generator.run(server.protocol, work)
            self.findings.shares.append(outcome.own_share)
            if outcome.missing:
                self.generator.leave(server.protocol)
                server.stop()
                server.start()
                meet(server)
            return outcome

        for server in servers:
            meet(server)
        yield run
        self.generator.leave()

    def play(
        self,
        servers: Sequence[Server],
        pairs: Sequence[tuple[Person, Person]],
        *works: Callable[[Server], Work],
        between: Callable[[], None] = lambda: None,
    ) -> Iterator[dict[str, list[Outcome]]]:
        """All rounds of each load in turn, among the same people; the outcomes by protocol.
        ``between`` is called once a round."""
        with self.crowds(servers, pairs) as run:
            for work in works:
                found: dict[str, list[Outcome]] = {SHOPBELL: [], NODE: [], FLOOR: []}
                for place, server in enumerate(self.turns(servers)):
                    found[server.protocol].append(run(server, work(server)))
                    if place % len(servers) == 0:
                        between()
                yield found

    def note_curve(self, per_second: float, found: dict[str, list[Outcome]]) -> None:
        """Keeps the latencies at an offered load for the plot."""
        for protocol, outcomes in found.items():
            if outcomes:
                middle = [median(one.at(percent) for one in outcomes) for percent in (50, 99)]
                self.findings.curve.setdefault(protocol, {})[per_second] = (middle[0], middle[1])


def row(
    scenario: str,
    unit: str,
    found: dict[str, list[Outcome]],
    value: Callable[[Outcome], float],
    **more: Sequence,
) -> Row:
    """The same measure of all that ran."""
    limit = more.pop("limit", None) or [value(one) for one in found[FLOOR]]
    ours, peer = ([value(one) for one in found[name]] for name in (SHOPBELL, NODE))
    return Row(scenario, unit, ours, peer, limit, **more)
