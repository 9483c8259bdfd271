"""What costs the same however much is stored, and what does not: pages, lists, counts.

The databases are filled in steps, and Shopbell starts anew after each, knowing nothing by heart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from statistics import median
from typing import Final, NamedTuple

from tests.bench import people
from tests.bench.contest import NODE, SHOPBELL, Contest, Growth
from tests.bench.filling import NOW, Shelf, ShopbellShelf, Talk, fill_all, over_a_year, talk
from tests.bench.load import Work
from tests.bench.report import Row, Target
from tests.bench.servers import Server
from tests.bench.visits import Visitor, visits

FILL_SECONDS: Final = (15, 35, 150)  # for the three steps; it ends where they do
MESSAGES_SHARES: Final = (0.01, 0.1, 1.0)  # of the longest conversation
CONVERSATIONS: Final = (1000, 5000, 20_000)
FLAT: Final = 2.0  # times as long for 20 to 100 times as much: no more than a logarithm's part
PAGE: Final = 50
LIMIT: Final = "limit"
LONE_PER_SECOND: Final = 50

MESSAGES: Final = "messages in the conversation"
OTHERS: Final = "conversations of the seller"

# What is to stay flat, in which words, and with what it might grow.
QUESTIONS: Final = {
    "page newest": ("newest page of a conversation", MESSAGES),
    "page oldest": ("oldest page of a conversation", MESSAGES),
    "/chat": ("`/chat` as HTML", MESSAGES),
    "send": ("a lone message, sent to seen", MESSAGES),
    "inbox": ("first page of the inbox", OTHERS),
    "unread": ("unread count", OTHERS),
    "/inbox": ("`/inbox` as HTML", OTHERS),
}

DEEP_BUYER: Final = people.buyer("deep")
DEEP_SELLER: Final = people.seller("deep")
BUSY_SELLER: Final = people.seller("busy-inbox")


class Size(NamedTuple):
    messages: int
    conversations: int


@dataclass
class Found:
    """The milliseconds of each question at each size."""

    by: dict[Size, dict[str, list[float]]] = field(default_factory=dict)

    def note(self, size: Size, question: str, values: Sequence[float]) -> None:
        self.by.setdefault(size, {})[question] = list(values)

    def of(self, size: Size, question: str) -> list[float]:
        return self.by.get(size, {}).get(question, [])


def growth(contest: Contest) -> None:
    """Fills, looks, fills on; then tells what was found at the largest size, and what grew."""
    plan = contest.plan
    found = {SHOPBELL: Found(), NODE: Found(), LIMIT: Found()}
    deep = talk(DEEP_BUYER, DEEP_SELLER, 1, 1, NOW - timedelta(seconds=plan.messages))
    shelves = contest.shelves()
    messages = conversations = 0
    sizes: list[Size] = []
    for share, many, seconds in zip(MESSAGES_SHARES, CONVERSATIONS, FILL_SECONDS, strict=True):
        length = plan.size(int(plan.messages * share))
        allowed = seconds * max(1, plan.messages / 100_000)
        more = replace(deep, first=messages + 1, last=length)
        others = [
            talk(people.buyer(f"{many}-{number}"), BUSY_SELLER, 1, 1, begun)
            for number, begun in enumerate(over_a_year(plan.size(many) - conversations))
        ]
        # A part of the time for each, so that neither is left out.
        messages += _filled(contest, shelves, [more], allowed * 2 / 3)
        conversations += _filled(contest, shelves, others, allowed / 3)
        for shelf in shelves:
            shelf.close()
        contest.shopbell.stop()
        contest.shopbell.start()
        shelves = contest.shelves()
        size = Size(messages, conversations)
        sizes.append(size)
        for server in contest.rivals:
            _look(contest, server, size, found[server.protocol])
        database = ShopbellShelf(contest.shopbell.database_uri, contest.shopbell.database)
        for depth, end in _depths(size).items():
            found[LIMIT].note(size, f"page {depth}", database.page(deep, end - PAGE, end - 1))
        database.close()
    for shelf in shelves:
        shelf.close()
    _tell(contest, sizes, found)


def _filled(
    contest: Contest, shelves: Sequence[Shelf], talks: Sequence[Talk], seconds: float
) -> int:
    """How many messages Shopbell's database took. Where the peer's took fewer, that is told."""
    ours, *theirs = fill_all(shelves, talks, seconds)
    if theirs and theirs[0] < ours:
        contest.note(f"Of {ours:,} messages the peer's database took {theirs[0]:,} in time.")
    return ours


def _depths(size: Size) -> dict[str, int]:
    """Which messages pages end before."""
    return {"newest": size.messages + 1, "middle": size.messages // 2, "oldest": PAGE + 1}


def _look(contest: Contest, server: Server, size: Size, found: Found) -> None:
    """Asks everything once at this size."""
    contest.generator.open("sellers", server.protocol, server.url, [DEEP_SELLER, BUSY_SELLER])
    contest.generator.leave()
    ours = server.protocol == SHOPBELL
    depths = _depths(size)
    with_seller = f"/api/messages/conversation/{DEEP_SELLER.id}/Seller"
    pages = [
        f"{with_seller}?limit={PAGE}&before={before}" if ours else f"{with_seller}?skip={skip}"
        for before, skip in ((seq, max(0, size.messages - seq)) for seq in depths.values())
    ]
    for name, values in zip(depths, visits(server.url, DEEP_BUYER, pages), strict=True):
        found.note(size, f"page {name}", values)
    asked = {"inbox": "/api/conversations?limit=30" if ours else "/api/messages/inbox"}
    visitor = Visitor(server.url, BUSY_SELLER)
    found.note(size, "unread first", [visitor.fetch("/api/messages/unread/count")])
    asked["unread"] = "/api/messages/unread/count"
    if ours:
        asked["/inbox"] = "/inbox"
    for name, path in asked.items():
        found.note(size, name, visitor.fetch_often(path))
    visitor.close()
    if ours:
        [chat] = visits(server.url, DEEP_BUYER, [f"/chat/{DEEP_SELLER.id}"])
        found.note(size, "/chat", chat)
    work = Work(
        "messages", contest.plan.seconds, server.pids, contest.plan.warm, per_second=LONE_PER_SECOND
    )
    with contest.crowds([server], people.pairs("lone", 10)) as run:
        found.note(size, "send", [run(server, work).at(50)])


def _tell(contest: Contest, sizes: list[Size], found: dict[str, Found]) -> None:
    small, large = sizes[0], sizes[-1]
    ours, theirs = found[SHOPBELL], found[NODE]

    def tell(name: str, question: str, *targets: Target) -> None:
        us, peer, limit = (one.of(large, question) for one in found.values())
        contest.add(Row(name, "ms", us, peer, limit, targets))

    deep = f"history page of 50, of {large.messages:,}"
    for depth in ("newest", "middle", "oldest"):
        limit = Target("value", f"{deep}, {depth}: ≤ 5 ms", at_most=5)
        tell(f"{deep}, {depth}", f"page {depth}", limit)
    many = f"{large.conversations:,} conversations"
    tell(
        f"inbox, first page, {many}",
        "inbox",
        Target("value", f"inbox of {many}: ≤ 25 ms", at_most=25),
    )
    tell(f"unread count, {many}", "unread", Target("value", f"unread of {many}: ≤ 2 ms", at_most=2))
    tell(f"unread count, {many}, the first after a start", "unread first")
    tell(f"`/inbox` as HTML, {many}", "/inbox")
    tell("`/chat` as HTML, 50 messages", "/chat")
    tell(f"a lone message, {large.messages:,} stored, p50", "send")
    for question, (words, of) in QUESTIONS.items():
        costs = {_much(size, of): ours.of(size, question) for size in sizes}
        contest.grown(Growth(words, "ms", of, costs))
        times, of_peer = (_times(one, small, large, question) for one in (ours, theirs))
        flat = Target("value", f"{words}: flat as much is stored", at_most=FLAT)
        name = f"{words}: {_much(large, of):,} to {_much(small, of):,} {of}"
        contest.add(Row(name, "times as long", times, of_peer, targets=(flat,)))


def _much(size: Size, of: str) -> int:
    return size.messages if of == MESSAGES else size.conversations


def _times(found: Found, small: Size, large: Size, question: str) -> list[float]:
    before, after = found.of(small, question), found.of(large, question)
    return [median(after) / median(before)] if before and after else []
