"""``python -m tests.bench``: Shopbell beside its peers, in one run on this machine.

Starts its own servers on loopback and stops them, puts the same loads on each in turn, and prints
what each gave, round by round, with the ratios and what was asked for. See README.md, "Benchmark".
"""

import argparse
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import SubprocessError
from tempfile import TemporaryDirectory
from typing import Any, Final

from pymongo import MongoClient

from tests.bench import arrival, live, outcome, presence, stored
from tests.bench.contest import QUICK, Contest, Plan
from tests.bench.generator import Generator
from tests.bench.servers import Database, Floor, NodePeer, Shopbell

ALL_SECONDS: Final = 575  # then it tells what it has
MESSAGES: Final = 100_000

# What something was asked of comes first: on a slow machine the time may not be enough for all.
SCENARIOS: Final[dict[str, Callable[[Contest], None]]] = {
    "saturation-50": lambda contest: live.saturation(contest, 50),
    "saturation-200": lambda contest: live.saturation(contest, 200),
    "open-loop": live.offered,
    "typing": live.typing,
    "widget": arrival.widget,
    "cold-start": arrival.cold_start,
    "idle": presence.idle,
    "stored": stored.growth,
    "more-levels": live.more_levels,
    "receipts": live.receipts,
    "hot": live.hot,
    "busy-seller": live.busy_seller,
    "reconnect": presence.reconnecting,
}


class TimeOver(Exception):
    """The bound on the whole run."""


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0, also where a target was missed, for that is a finding."""
    options = _options(arguments)
    plan = QUICK if options.quick else Plan(messages=options.messages)
    names = options.only or list(SCENARIOS)
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and the stack below is unwound
    with ExitStack() as stack:
        contest = stack.enter_context(_contest(plan, options.mongodb_uri, peer=not options.no_peer))
        left_out = list(names)
        try:
            with _bounded(ALL_SECONDS * max(1.0, options.messages / MESSAGES)):
                for name in names:
                    _say(f"{name} ({time.monotonic() - begun:.0f} s)")
                    SCENARIOS[name](contest)
                    left_out.remove(name)
        except TimeOver:
            contest.note(f"The time was over before the end of: {', '.join(left_out)}.")
        contest.note(f"It took {time.monotonic() - begun:.0f} s.")
    _say("\n" + outcome.as_text(contest.findings))
    if options.markdown:
        options.markdown.write_text(outcome.as_markdown(contest.findings), encoding="utf-8")
    if options.plot and (plot := outcome.as_plot(contest.findings)):
        options.plot.write_text(plot, encoding="utf-8")
    return 0


def _options(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=SCENARIOS, metavar="SCENARIO",
                        help=f"only this, may be given again: {', '.join(SCENARIOS)}")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small and short: whether it runs")
    parser.add_argument("--no-peer", action="store_true", help="without Node")
    parser.add_argument("--mongodb-uri", help="a MongoDB in place of the embedded databases")
    parser.add_argument("--messages", type=int, default=MESSAGES,
                        help="in the longest conversation; more takes its time")  # fmt: skip
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="writes the tables there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="writes an SVG there")
    return parser.parse_args(arguments)


@contextmanager
def _contest(plan: Plan, uri: str | None, *, peer: bool) -> Iterator[Contest]:
    """All servers, started; whatever happens, they are stopped and their files removed."""
    prefix = f"bench_{uuid.uuid4().hex[:8]}_"
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="shopbell-bench-")))
        if uri:
            stack.callback(_drop, uri, prefix)
        database = Database(directory, uri)
        stack.callback(database.stop)
        database.start()
        shopbell = Shopbell(directory, uri, f"{prefix}shopbell")
        floor = Floor(directory)
        node = _installed(NodePeer(directory, database, f"{prefix}node")) if peer else None
        for server in (shopbell, floor, *([node] if node else [])):
            stack.callback(server.stop)
            server.start()
        generator = Generator()
        stack.callback(generator.close)
        yield Contest(plan, generator, shopbell, floor, database, node, prefix, directory, say=_say)


def _installed(peer: NodePeer) -> NodePeer | None:
    try:
        peer.install()
    except (OSError, SubprocessError) as error:
        _say(f"Without the peer, as its packages cannot be fetched: {error}")
        return None
    return peer


def _drop(uri: str, prefix: str) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        for name in client.list_database_names():
            if name.startswith(prefix):
                client.drop_database(name)


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Raises ``TimeOver`` when so much time has passed."""

    def over(*_: object) -> None:
        raise TimeOver

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.pop("MONGODB_URI", None)  # only what is asked for by name
    sys.exit(main(sys.argv[1:]))
