"""Finding conversations by name."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models import directory as directory_module
from models.conversation import Place
from models.directory import Directory
from models.errors import Unavailable
from models.ledger import Ledger
from models.store import Cursor
from tests.store.cast import LENA, MAYA, NILS, OMAR, conversation, draft, identity


def now():
    return datetime.now(UTC).replace(microsecond=0)


MINUTE = timedelta(minutes=1)


def talk(name, *, minutes=0, key=None, seller=OMAR, read=0):
    """Omar's conversation with somebody of this name, that moved so long ago."""
    buyer = identity("Buyer", key or name.replace(" ", "-").casefold())
    made = conversation(buyer, seller, messages=1, at=now() - minutes * MINUTE)
    for place in made.places:
        if place.key == buyer.key:
            place.name = name
        else:
            place.read_seq = read
    return made


@pytest.fixture
def ledger(store):
    return Ledger(store)


@pytest.fixture
def directory(store, ledger):
    return Directory(store, ledger)


async def find(directory, name, who=OMAR, **options):
    options = {"before": None, "limit": 9, "unread": False, **options}
    return [c.id for c in await directory.newest_of(who.key, name, **options)]


def ids(*talks):
    return [c.id for c in talks]


async def test_they_come_newest_first_and_only_one_s_own(store, directory):
    anna, hannah, anton = (
        talk(name, minutes=n) for n, name in enumerate(["Anna", "Hannah", "Anton"])
    )
    elsewhere = talk("Anna", seller=NILS)
    await store.insert_conversations([anton, anna, hannah, elsewhere])
    assert await find(directory, "an") == ids(anna, anton)
    assert await find(directory, "an", NILS) == ids(elsewhere)
    assert await find(directory, "x") == []
    assert await find(directory, "omar", identity("Buyer", "anna")) == ids(anna)
    assert await find(directory, "anna") == ids(anna)


async def test_pages_hold_everything_once(store, directory):
    talks = [talk(f"Anna {n}", minutes=n // 3) for n in range(20)]
    await store.insert_conversations([*talks, talk("Ben")])
    found, before = [], None
    for _ in range(10):
        page = await directory.newest_of(OMAR.key, "anna", before=before, limit=3, unread=False)
        found += page
        if len(page) < 3:
            break
        before = Cursor(page[-1].updated_at, page[-1].id)
    assert len(found) == 20
    assert found == sorted(talks, key=lambda c: (c.updated_at, c.id), reverse=True)


async def test_the_unread_ones_among_them(store, directory):
    unread, read, other = talk("Anna One"), talk("Anna Two", read=1), talk("Ben")
    await store.insert_conversations([unread, read, other])
    assert set(await find(directory, "anna")) == {unread.id, read.id}
    assert await find(directory, "anna", unread=True) == [unread.id]


async def test_what_is_new_or_moved_since_the_last_look_is_found(open_store, store, directory):
    anna = talk("Anna", minutes=3)
    await store.insert_conversations([anna])
    assert await find(directory, "an") == ids(anna)
    annika = talk("Annika")
    await (await open_store()).insert_conversations([annika])  # another process
    assert await find(directory, "an") == ids(annika, anna)


async def test_what_is_not_yet_settled_is_in_its_place(store, ledger, directory):
    ben, anna = talk("Ben", minutes=1), talk("Anna", minutes=3)
    await store.insert_conversations([ben, anna])
    assert await find(directory, "a") == ids(anna)
    live = await ledger.get(ben.id)
    live.peer_of(OMAR.key).name = "Adam"
    live.updated_at = now() + MINUTE
    ledger.touch(live)
    assert await find(directory, "a") == ids(ben, anna)
    assert await find(directory, "be") == []


async def test_a_guest_is_found_by_what_they_are_shown_as_and_then_by_their_name(
    store, ledger, directory
):
    guest = talk("", key="guest-0f3a99c1", minutes=90)
    await store.insert_conversations([guest])
    for shown in ("guest", "99c1", "Gast 99", "visit"):
        assert await find(directory, shown) == ids(guest), shown
    assert await find(directory, "0f3a") == []
    live = await ledger.get(guest.id)
    place = Place(LENA.key, "Lena")
    await store.rename_place(live, "Buyer:guest-0f3a99c1", place)
    ledger.rename(live, "Buyer:guest-0f3a99c1", place)
    await ledger.settle()
    assert await find(directory, "lena") == ids(guest)
    assert await find(directory, "guest") == []


async def test_who_has_no_name_is_found_by_their_id(store, directory):
    nameless = talk("", key="maya@shop.example")
    await store.insert_conversations([nameless])
    assert await find(directory, "maya") == await find(directory, "example") == ids(nameless)


@pytest.fixture
def reads(store, monkeypatch):
    """How many names each look into the database found."""
    read, found = store.names_of, []

    async def counted(*arguments):
        names = await read(*arguments)
        found.append(len(names))
        return names

    monkeypatch.setattr(store, "names_of", counted)
    return found


async def test_all_names_are_read_once_however_many_ask_at_once(store, directory, reads):
    await store.insert_conversations([talk("Anna", minutes=90)])
    await asyncio.gather(*(find(directory, "an") for _ in range(4)))
    assert sum(reads) == 1


async def test_names_are_read_a_few_at_once(store, directory, reads, monkeypatch):
    monkeypatch.setattr(directory_module, "NAMES_AT_ONCE", 5)
    talks = [talk(f"Anna {n}", minutes=10 * n) for n in range(60)]
    await store.insert_conversations(talks)
    assert await find(directory, "anna", limit=70) == ids(*talks)
    assert max(reads) < 30
    assert 60 <= sum(reads) < 70


async def test_a_look_that_was_broken_off_goes_on_where_it_was(
    store, directory, reads, monkeypatch
):
    monkeypatch.setattr(directory_module, "NAMES_AT_ONCE", 5)
    talks = [talk(f"Anna {n}", minutes=10 * n) for n in range(60)]
    await store.insert_conversations(talks)
    read = store.names_of

    async def broken(*arguments):
        if sum(reads) > 20:
            raise Unavailable
        return await read(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store, "names_of", broken)
        with pytest.raises(Unavailable):
            await find(directory, "anna")
    already = sum(reads)
    assert 20 < already < 60
    assert await find(directory, "anna", limit=70) == ids(*talks)
    assert sum(reads) < 70


async def test_who_asked_longest_ago_is_forgotten_first(store, directory, monkeypatch):
    monkeypatch.setattr(directory_module, "NAMES_KEPT", 2)
    sellers = [identity("Seller", f"s{n}") for n in range(3)]
    talks = [talk("Anna", seller=seller) for seller in sellers]
    await store.insert_conversations(talks)
    for seller, one in zip(sellers, talks, strict=True):
        assert await find(directory, "an", seller) == ids(one)
    assert list(directory._known) == [seller.key for seller in sellers[1:]]
    assert await find(directory, "an", sellers[0]) == ids(talks[0])


async def test_guests_without_a_conversation_are_forgotten_too(store, directory, monkeypatch):
    monkeypatch.setattr(directory_module, "PEOPLE_KEPT", 2)
    guests = [identity("Buyer", f"guest-{n}") for n in range(4)]
    for guest in guests:
        assert await find(directory, "an", guest) == []
    assert list(directory._known) == [guest.key for guest in guests[2:]]

    async def away(*arguments):
        raise Unavailable

    monkeypatch.setattr(store, "names_of", away)
    for guest in guests[:2]:
        with pytest.raises(Unavailable):
            await find(directory, "an", guest)
    assert list(directory._known) == [guest.key for guest in guests[:2]]


async def test_the_list_of_conversations_takes_a_name(shop):
    for sender in (MAYA, LENA):
        await shop.append(draft("Hello", sender))
    listed = await shop.history.conversations(OMAR, limit=9, name=" LÉNA ")
    assert [c.participants[0].id for c in listed.conversations] == ["lena"]
    assert len((await shop.history.conversations(OMAR, limit=9, name="  ")).conversations) == 2
