"""What costs the same however much is stored, and what does not: pages, lists, counts.

The databases are filled in steps, and Shopbell starts anew after each, knowing nothing by heart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from statistics import median
from typing import Final, NamedTuple

from models.store import new_id
from tests.bench import people
from tests.bench.contest import NODE, SHOPBELL, Contest, Growth
from tests.bench.filling import (
    NOW,
    Job,
    NodeShelf,
    ShopbellShelf,
    Talk,
    fill_all,
    over_a_year,
    talk,
)
from tests.bench.load import Work
from tests.bench.report import Row, Target
from tests.bench.servers import Server
from tests.bench.visits import Visitor, visits

FILL_SECONDS: Final = (15, 35, 150)  # for the three steps; it ends where they do
MESSAGES_SHARES: Final = (0.01, 0.1, 1.0)  # of the longest conversation
CONVERSATIONS: Final = (1000, 5000, 20_000)  # the first thousand with something unread
UNREAD: Final = (100, 1000, 10_000)  # of another seller, who has read nothing
FLAT: Final = 2.0  # times as long for 20 to 100 times as much: no more than a logarithm's part
PAGE: Final = 50
LIMIT: Final = "limit"
LONE_PER_SECOND: Final = 50

MESSAGES: Final = "messages in the conversation"
OTHERS: Final = "conversations of the seller"
UNREAD_ONES: Final = "conversations with something unread"

# What is to stay flat, in which words, and with what it might grow.
QUESTIONS: Final = {
    "page newest": ("newest page of a conversation", MESSAGES),
    "page oldest": ("oldest page of a conversation", MESSAGES),
    "/chat": ("`/chat` as HTML", MESSAGES),
    "start": ("a start, with the database", MESSAGES),
    "send": ("a lone message, sent to seen", MESSAGES),
    "inbox": ("first page of the inbox", OTHERS),
    "unread": ("unread count", OTHERS),
    "/inbox": ("`/inbox` as HTML", OTHERS),
    "unread ones": ("unread count", UNREAD_ONES),
    "unread ones first": ("unread count, the first after a start", UNREAD_ONES),
}
LINEAR: Final = {"unread ones", "unread ones first"}  # the answer names each

DEEP_BUYER: Final = people.buyer("deep")
DEEP_SELLER: Final = people.seller("deep")
BUSY_SELLER: Final = people.seller("busy-inbox")
UNREAD_SELLER: Final = people.seller("reads-nothing")


class Size(NamedTuple):
    """How many there are of what a cost might grow with."""

    messages: int = 0
    conversations: int = 0
    unread: int = 0

    def of(self, what: str) -> int:
        return self[(MESSAGES, OTHERS, UNREAD_ONES).index(what)]


@dataclass
class Found:
    """The milliseconds of each question at each size."""

    by: dict[Size, dict[str, list[float]]] = field(default_factory=dict)

    def note(self, size: Size, question: str, values: Sequence[float]) -> None:
        self.by.setdefault(size, {})[question] = list(values)

    def of(self, size: Size, question: str) -> list[float]:
        return self.by.get(size, {}).get(question, [])


def growth(contest: Contest) -> None:
    """Fills, looks, fills on; then tells what was found at the largest size, and what grew.

    The long conversation and the many lie in databases of their own, which are filled at once.
    """
    plan = contest.plan
    found = {SHOPBELL: Found(), NODE: Found(), LIMIT: Found()}
    deep = talk(DEEP_BUYER, DEEP_SELLER, 1, 1, NOW - timedelta(seconds=plan.messages))
    size, sizes = Size(), []
    with contest.another("wide") as wide:
        _introduce(contest, DEEP_SELLER)
        _introduce(wide, BUSY_SELLER, UNREAD_SELLER)
        try:
            for share, many, unread, seconds in zip(
                MESSAGES_SHARES, CONVERSATIONS, UNREAD, FILL_SECONDS, strict=True
            ):
                length = plan.size(int(plan.messages * share))
                more = replace(deep, first=size.messages + 1, last=length)
                added = plan.size(many) - size.conversations
                others = _talks(BUSY_SELLER, added, is_read=bool(sizes))
                neglected = _talks(UNREAD_SELLER, plan.size(unread) - size.unread)
                allowed = seconds * max(1, plan.messages / 100_000)
                stored = _filled(contest, wide, [more], others, neglected, allowed)
                size = Size(*(before + new for before, new in zip(size, stored, strict=True)))
                contest.say(f"  with {size.messages:,} messages, {size.conversations:,} others")
                _look(contest, wide, size, deep, found)
                sizes.append(size)
        finally:
            if sizes:  # where the time is over, what was found so far is told
                _tell(contest, sizes, found)


def _introduce(contest: Contest, *sellers: people.Person) -> None:
    """A seller is known once they were there."""
    shop = contest.shopbell
    contest.generator.open("sellers", shop.protocol, shop.url, sellers)
    contest.generator.leave()


def _talks(seller: people.Person, count: int, *, is_read: bool = False) -> list[Talk]:
    """So many new conversations of somebody, of a message each."""
    return [
        replace(talk(people.buyer(new_id()), seller, 1, 1, begun), is_read=is_read)
        for begun in over_a_year(count)
    ]


def _filled(
    contest: Contest,
    wide: Contest,
    deep: list[Talk],
    others: list[Talk],
    neglected: list[Talk],
    seconds: float,
) -> Size:
    """How much Shopbell's databases took. Where the peer's took less, that is told."""
    ours: list[Job] = [
        (ShopbellShelf.of(contest.shopbell), deep),
        (ShopbellShelf.of(wide.shopbell), others),
        (ShopbellShelf.of(wide.shopbell), neglected),
    ]
    both = ((contest.peer, deep), (wide.peer, others))
    theirs = [(NodeShelf.of(peer), talks) for peer, talks in both if peer]
    messages, conversations, unread, *taken = fill_all([*ours, *theirs], seconds)
    if taken and sum(taken) < messages + conversations:
        words = (
            f"Of {messages + conversations:,} messages the peer's databases took {sum(taken):,}."
        )
        contest.note(words)
    return Size(messages, conversations, unread)


def _depths(size: Size) -> dict[str, int]:
    """Which messages pages end before."""
    return {"newest": size.messages + 1, "middle": size.messages // 2, "oldest": PAGE + 1}


def _look(contest: Contest, wide: Contest, size: Size, deep: Talk, found: dict[str, Found]) -> None:
    """Asks everything once at this size, Shopbell just started."""
    for shop in (contest.shopbell, wide.shopbell):
        shop.stop()
        started = shop.start()
        if shop is contest.shopbell:
            found[SHOPBELL].note(size, "start", [1000 * started])
    for server in contest.rivals:
        _look_into_one(contest, server, size, found[server.protocol])
    for server in wide.rivals:
        _look_over_many(server, size, found[server.protocol])
    shelf = ShopbellShelf.of(contest.shopbell)
    for depth, end in _depths(size).items():
        found[LIMIT].note(size, f"page {depth}", shelf.page(deep, end - PAGE, end - 1))
    shelf.close()


def _look_into_one(contest: Contest, server: Server, size: Size, found: Found) -> None:
    """The pages of the long conversation, and a message beside it."""
    ours = server.protocol == SHOPBELL
    depths = _depths(size)
    with_seller = f"/api/messages/conversation/{DEEP_SELLER.id}/Seller"
    pages = [
        f"{with_seller}?limit={PAGE}&before={before}" if ours else f"{with_seller}?skip={skip}"
        for before, skip in ((seq, max(0, size.messages - seq)) for seq in depths.values())
    ]
    for name, values in zip(depths, visits(server.url, DEEP_BUYER, pages), strict=True):
        found.note(size, f"page {name}", values)
    if ours:
        [chat] = visits(server.url, DEEP_BUYER, [f"/chat/{DEEP_SELLER.id}"])
        found.note(size, "/chat", chat)
    work = Work(
        "messages", contest.plan.seconds, server.pids, contest.plan.warm, per_second=LONE_PER_SECOND
    )
    with contest.crowds([server], people.pairs("lone", 10)) as run:
        rounds = contest.plan.rounds if ours else 1
        found.note(size, "send", [run(server, work).at(50) for _ in range(rounds)])


def _look_over_many(server: Server, size: Size, found: Found) -> None:
    """The lists and the sum of somebody with many conversations."""
    ours = server.protocol == SHOPBELL
    inbox = "/api/conversations?limit=30" if ours else "/api/messages/inbox"
    count = "/api/messages/unread/count"
    visitor = Visitor(server.url, BUSY_SELLER)
    found.note(size, "unread first", [visitor.fetch(count)])
    found.note(size, "inbox", visitor.fetch_often(inbox))
    found.note(size, "unread", visitor.fetch_often(count))
    if ours:
        found.note(size, "/inbox", visitor.fetch_often("/inbox"))
    visitor.close()
    if ours:
        visitor = Visitor(server.url, UNREAD_SELLER)
        found.note(size, "unread ones first", [visitor.fetch(count)])
        found.note(size, "unread ones", visitor.fetch_often(count))
        visitor.close()


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
    many_read = f"{many}, {small.conversations:,} with something unread"
    soon = Target("value", f"unread of {many_read}: ≤ 2 ms", at_most=2)
    tell(f"unread count, {many_read}", "unread", soon)
    tell(f"unread count, {many_read}, the first after a start", "unread first")
    tell(f"`/inbox` as HTML, {many}", "/inbox")
    tell("`/chat` as HTML, 50 messages", "/chat")
    tell(f"a lone message, {large.messages:,} stored, p50", "send")
    for question, (words, of) in QUESTIONS.items():
        costs = {size.of(of): ours.of(size, question) for size in sizes}
        contest.grown(Growth(words, "ms", of, costs))
        times, of_peer = (_times(one, small, large, question) for one in (ours, theirs))
        flat = Target("value", f"{words}: flat as much is stored", at_most=FLAT)
        name = f"{words}: {large.of(of):,} to {small.of(of):,} {of}"
        targets = () if question in LINEAR else (flat,)
        contest.add(Row(name, "times as long", times, of_peer, targets=targets))


def _times(found: Found, small: Size, large: Size, question: str) -> list[float]:
    before, after = found.of(small, question), found.of(large, question)
    return [median(after) / median(before)] if before and after else []
