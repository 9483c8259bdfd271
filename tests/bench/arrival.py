"""What is felt before anything is said: how long a start takes, and what a page has to load."""

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

from tests.bench import people
from tests.bench.contest import Contest
from tests.bench.report import Row, Target
from tests.bench.servers import Database, NodePeer, Shopbell
from tests.bench.visits import compressed_size

SELLER: Final = people.seller("widget")
STARTS: Final = 2


def cold_start(contest: Contest) -> None:
    """From nothing to the line that says it serves, the database included; and once more on the
    files of the first time. On a database of somebody else's only the server starts."""
    uri = None if contest.database.pids else contest.database.uri
    first: tuple[list[float], list[float]] = ([], [])
    again: tuple[list[float], list[float]] = ([], [])
    for number in range(min(STARTS, contest.plan.rounds)):
        with TemporaryDirectory(dir=contest.directory) as directory:
            place = Path(directory)
            shopbell = Shopbell(place, uri, f"{contest.prefix}start{number}")
            for times in (first, again):
                times[0].append(shopbell.start())
                shopbell.stop()
            if contest.peer:
                database = Database(place, uri)
                peer = NodePeer(place, database, f"{contest.prefix}start_peer{number}")
                peer.packages = contest.peer.packages
                for times in (first, again):
                    times[1].append(_started(database, peer))
    for name, times in (("first", first), ("later", again)):
        quick = Target("value", f"{name} start to ready, with its database: ≤ 3 s", at_most=3)
        contest.add(Row(f"{name} start, with its database", "s", *times, targets=(quick,)))


def _started(database: Database, peer: NodePeer) -> float:
    begun = time.perf_counter()
    try:
        database.start()
        peer.start()
        return time.perf_counter() - begun
    finally:
        peer.stop()
        database.stop()


def widget(contest: Contest) -> None:
    """What a shop's page loads for the button, and then for the chat; compressed. The peer's is its
    client library alone, without anything to see."""
    url = contest.shopbell.url
    contest.generator.open("seller", "shopbell", url, [SELLER])
    contest.generator.leave()
    with urlopen(f"{url}/widget/{SELLER.id}") as answer:
        document = answer.read().decode()
    parts = [f"/widget/{SELLER.id}", *re.findall(r'"(/assets/[^"]+)"', document)]
    library = []
    if contest.peer:
        file = contest.peer.packages / "node_modules/socket.io/client-dist/socket.io.min.js"
        library = [float(compressed_size(file.as_uri()))]
    contest.add(
        Row("the button's script", "bytes", [float(compressed_size(f"{url}/widget.js"))]),
        Row(
            "the chat in its frame (the peer's: its client library alone)",
            "bytes",
            [float(sum(map(compressed_size, [url + part for part in parts])))],
            library,
        ),
    )
