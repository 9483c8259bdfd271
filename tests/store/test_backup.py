"""P21: a backup of a shop that goes on holds what was acknowledged before it began, and is put back
into an empty place, whole or not at all."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from bson import ObjectId

from models import backup as backup_module
from models.backup import BackupRefused, back_up, checked_backup, mark_of_secret, restore
from models.backup_file import COLLECTIONS, FORM, Header, Writer, checked, valid_documents
from models.errors import Unavailable
from models.events import MarkAsRead
from models.picture import Picture
from models.preferences import Preferences
from models.store import RestoreUnfinished, SchemaTooNew, Store
from models.store_archive import Archive
from models.store_schema import INDEXES, VERSION
from tests.store.cast import LENA, MAYA, NILS, NOON, OMAR, draft

SECRET = "a secret of the shop's own, 0123456789"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "shop.backup"


@pytest.fixture
async def empty(engine_uri, database_name):
    """A place where nothing is."""
    store = Store(engine_uri, f"{database_name}_empty")
    yield store
    if "MONGODB_URI" in os.environ:  # see ``database_name``
        await store.drop()
    store.close()


async def put_back(file, store, *, alone=True):
    with checked_backup(file) as backup:
        await restore(store.archive, backup, alone=alone)


async def everything(store):
    """All documents by collection and id, but for what is said of the place alone."""
    found = {}
    for name in sorted(await store._db.list_collection_names()):
        documents = await store._db[name].find({}).to_list(None)
        found[name] = {document["_id"]: document for document in documents}
    for mark in ("schema", "restore", "probe"):
        found["meta"].pop(mark, None)
    return {name: documents for name, documents in found.items() if documents}


def held_by(file):
    """The documents of a backup that count, by collection."""
    found = {name: [] for name in COLLECTIONS}
    with file.open("rb") as opened:
        contents = checked(opened, str(file))
        opened.seek(0)
        for document in valid_documents(opened, str(file), contents):
            found[document.collection].append(json.loads(document.json))
    return found


def texts_held_by(file):
    """The texts of each conversation, by its id, in the file's order, which has to be that of
    ``seq``."""
    found = {}
    for message in held_by(file)["messages"]:
        said = found.setdefault(message["conversation"]["$oid"], [])
        said.append(message["text"])
        assert message["seq"] == len(said)
    return found


async def texts_of(shop, who, other=OMAR):
    talk = await shop.ledger.between(who.key, other.key)
    if talk is None:
        return []
    messages = await shop.store.messages_between(talk.id, 1, 99_999)
    assert [m.seq for m in messages] == list(range(1, talk.last_seq + 1))
    return [message.text for message in messages]


async def say(shop, count, sender=MAYA, to=OMAR):
    return [await shop.append(draft(f"{sender.name} {n}", sender, to)) for n in range(count)]


@pytest.fixture
async def furnished(shop):
    """A shop with something of everything."""
    done = await say(shop, 5)
    await say(shop, 3, LENA, NILS)
    await shop.append(draft("naïve 😀\n\ttext $where {a.b} $oid", LENA))
    await shop.chat.mark_read(OMAR, MarkAsRead(conversation_id=done[0].conversation.id, seq=3))
    await shop.accounts.add_seller("omar", "Omar", "o@shop.example", "correct horse battery")
    await shop.store.introduce(MAYA.key, "Maya", NOON)
    await shop.store.write_preferences(
        OMAR.key, Preferences(greeting="Hi", logo="v1"), Picture(b"\0\xff picture", "image/png")
    )
    await shop.store.revoke("a session", datetime.now(UTC) + timedelta(days=9))
    await shop.ledger.settle()
    await shop.availability.settle()
    return shop


# --- There and back -----------------------------------------------------------------------------


async def test_all_that_is_stored_comes_back_under_another_epoch(furnished, file, empty, open_shop):
    """Fails when a collection is left out, a value changes its kind, or the epoch is kept."""
    guest = furnished.shop.guests._tokens.issue_guest()
    await furnished.append(draft("as a guest", guest[1]))
    await identify(furnished, guest[0])
    before = await everything(furnished.store)
    await back_up(furnished.store.archive, file, secret=SECRET)
    await put_back(file, empty)
    after = await everything(empty)
    omar = after["participants"][OMAR.key]
    ended = before["participants"][OMAR.key].pop("tokens_valid_from", 0)
    assert omar.pop("tokens_valid_from") > max(ended, datetime.now(UTC).timestamp() - 60)
    settled = after["meta"].pop("settled")["at"], before["meta"].pop("settled")["at"]
    assert abs(settled[0] - settled[1]) < timedelta(seconds=60)
    assert after == before
    again = await open_shop(database=empty._name)
    assert again.chat.epoch not in {"", furnished.chat.epoch}
    assert await texts_of(again, LENA, NILS) == await texts_of(furnished, LENA, NILS)


async def test_only_its_owner_can_read_the_file_and_it_is_there_when_it_is_whole(
    furnished, file, monkeypatch
):
    """Fails when it is written under its own name, or readable by others."""
    file.write_text("an older one")
    file.chmod(0o644)

    async def broken(*_):
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "messages", broken)
        with pytest.raises(Unavailable):
            await back_up(furnished.store.archive, file, secret=SECRET)
    assert file.read_text() == "an older one"
    await back_up(furnished.store.archive, file, secret=SECRET)
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert [path.name for path in file.parent.iterdir() if "backup" in path.name] == [file.name]
    header = held_header(file)
    assert header.secret == mark_of_secret(SECRET)
    assert SECRET not in file.read_text()


def held_header(file):
    with checked_backup(file) as backup:
        return backup.contents.header


async def test_a_place_that_cannot_be_written_is_told_in_words(furnished, tmp_path):
    with pytest.raises(BackupRefused, match="cannot be written"):
        await back_up(furnished.store.archive, tmp_path / "nowhere" / "file", secret=None)


async def test_where_no_shop_is_there_is_nothing_to_back_up(empty, file):
    with pytest.raises(BackupRefused, match="no shop"):
        await back_up(empty.archive, file, secret=None)
    assert not file.exists()


async def test_every_collection_of_the_database_is_in_a_backup(furnished):
    """A new collection has to get into the table of what is backed up."""
    assert set(INDEXES) <= set(COLLECTIONS)
    assert set(await furnished.store._db.list_collection_names()) <= set(COLLECTIONS)


# --- While the shop goes on ---------------------------------------------------------------------


async def test_what_was_acknowledged_before_it_began_is_in_it_under_load(
    open_shop, file, empty, monkeypatch
):
    """Fails when the summaries are believed, which here lag behind all messages."""
    monkeypatch.setattr(backup_module, "PAGE", 7)
    shop = await open_shop(asleep=("ledger",))
    acknowledged = {MAYA: [], LENA: []}
    enough = asyncio.Event()

    async def write(who):
        while not enough.is_set():
            text = f"{who.name} {len(acknowledged[who])}"
            await shop.append(draft(text, who))
            acknowledged[who].append(text)

    writing = [asyncio.ensure_future(write(who)) for who in acknowledged]
    while min(map(len, acknowledged.values())) < 30:
        await asyncio.sleep(0.01)
    before = {who: list(texts) for who, texts in acknowledged.items()}
    await back_up(shop.store.archive, file, secret=SECRET)
    enough.set()
    await asyncio.gather(*writing)
    await put_back(file, empty)
    again = await open_shop(database=empty._name)
    for who, texts in before.items():
        restored = await texts_of(again, who)
        assert restored[: len(texts)] == texts
        assert restored == (await texts_of(shop, who))[: len(restored)]
        [summary] = (await again.history.conversations(who, limit=9)).conversations
        assert summary.last_seq == len(restored)


async def identify(shop, guest_token, who=MAYA):
    now = int(shop.shop.tokens._now())
    claims = {"sub": who.participant.id, "name": who.name, "iat": now, "exp": now + 60}
    vouched = jwt.encode(claims, shop.settings.identity_secret, algorithm="HS256")
    await shop.guests.identify(vouched, guest_token)


@pytest.mark.parametrize("guest_first", [True, False])
async def test_what_is_handed_over_meanwhile_is_neither_lost_nor_doubled(
    shop, file, empty, open_shop, monkeypatch, guest_first
):
    """A guest's conversation moves into the buyer's between the reading of the two.

    Fails when nothing is looked at again, or when what was seen first counts.
    """
    monkeypatch.setattr(backup_module, "PAUSE_SECONDS", 0.01)
    token, guest = shop.shop.guests._tokens.issue_guest()
    for who in (guest, MAYA) if guest_first else (MAYA, guest):
        await shop.append(draft(f"{who.name} 0", who), draft(f"{who.name} 1", who))
    await say(shop, 3, LENA)
    looking, seen = Archive.conversations, []

    async def conversations(self):
        async for found in looking(self):
            yield found
            seen.append(found)
            if len(seen) == 1:
                await identify(shop, token)
                await shop.append(draft("after", OMAR, MAYA))

    monkeypatch.setattr(Archive, "conversations", conversations)
    await back_up(shop.store.archive, file, secret=SECRET)
    await put_back(file, empty)
    again = await open_shop(database=empty._name)
    said = await texts_of(again, MAYA)
    assert said == await texts_of(shop, MAYA)
    assert len(said) == 5
    assert await texts_of(again, guest) == []
    assert await texts_of(again, LENA) == await texts_of(shop, LENA)
    assert guest.key in await again.store.revocations_since(NOON)
    assert await again.store.open_handovers() == []


async def test_a_handover_that_nobody_works_at_is_finished_by_the_restored_shop(
    shop, file, empty, open_shop, monkeypatch
):
    monkeypatch.setattr(backup_module, "PAUSE_SECONDS", 0.01)
    _, guest = shop.shop.guests._tokens.issue_guest()
    await shop.append(draft("as a guest", guest))
    await say(shop, 2)
    await shop.store.begin_handover(guest.key, MAYA.key, MAYA.name)
    await back_up(shop.store.archive, file, secret=SECRET)
    await put_back(file, empty)
    again = await open_shop(database=empty._name)
    assert await texts_of(again, MAYA) == ["Maya 0", "Maya 1", "as a guest"]


async def test_what_changes_hands_all_the_while_is_refused_in_words(shop, file, monkeypatch):
    monkeypatch.setattr(backup_module, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(backup_module, "LOOKS", 5)
    looking = Archive.handovers

    async def handovers(self):
        _, guest = shop.shop.guests._tokens.issue_guest()
        await shop.store.begin_handover(guest.key, MAYA.key, MAYA.name)
        return await looking(self)

    monkeypatch.setattr(Archive, "handovers", handovers)
    with pytest.raises(BackupRefused, match="try again"):
        await back_up(shop.store.archive, file, secret=SECRET)
    assert not file.exists()


async def test_a_conversation_whose_beginning_goes_meanwhile_is_read_again(shop, file, monkeypatch):
    """Retention removes from the front. Fails when a page may begin anywhere."""
    monkeypatch.setattr(backup_module, "PAGE", 4)
    monkeypatch.setattr(backup_module, "PAUSE_SECONDS", 0.01)
    talk = (await say(shop, 12))[0].conversation
    reading, pages = Archive.messages, []

    async def messages(self, id_, first, last):
        pages.append(first)
        if len(pages) == 2:
            gone = {"conversation": ObjectId(id_), "seq": {"$lte": 6}}
            await self._db.messages.delete_many(gone)
            where = {"_id": ObjectId(id_)}
            await self._db.conversations.update_one(where, {"$set": {"first_seq": 7}})
        return await reading(self, id_, first, last)

    monkeypatch.setattr(Archive, "messages", messages)
    await back_up(shop.store.archive, file, secret=SECRET)
    held = held_by(file)
    assert [message["seq"] for message in held["messages"]] == list(range(7, 13))
    [conversation] = held["conversations"]
    assert (conversation["_id"]["$oid"], conversation["first_seq"]) == (talk.id, 7)


async def test_a_hole_that_lies_in_the_database_hinders_no_backup(shop, file, monkeypatch):
    monkeypatch.setattr(backup_module, "PAUSE_SECONDS", 0.01)
    await say(shop, 5)
    await shop.store._db.messages.delete_one({"seq": 3})
    await back_up(shop.store.archive, file, secret=SECRET)
    held = held_by(file)
    assert [message["seq"] for message in held["messages"]] == [1, 2, 4, 5]
    assert len(held["conversations"]) == 1


# --- Into an empty place only -------------------------------------------------------------------


async def test_a_place_is_filled_once(furnished, file, empty):
    """Fails when it is not asked what lies there."""
    await back_up(furnished.store.archive, file, secret=SECRET)
    with pytest.raises(BackupRefused, match="A shop lies here; a backup is restored into an empty"):
        await put_back(file, furnished.store)
    await put_back(file, empty)
    before = await everything(empty)
    with pytest.raises(BackupRefused, match="restored here before"):
        await put_back(file, empty)
    assert await everything(empty) == before
    await empty.prepare()


async def test_a_shop_that_was_never_used_is_an_empty_place_unless_its_server_runs(
    furnished, file, empty, open_shop
):
    await back_up(furnished.store.archive, file, secret=SECRET)
    unused = await open_shop(database=empty._name)
    await unused.ledger.settle()
    with pytest.raises(BackupRefused, match="A server runs"):
        await put_back(file, empty, alone=False)
    await unused.kill()
    await put_back(file, empty)
    assert await empty.prepare() not in {unused.chat.epoch, furnished.chat.epoch}


async def test_a_damaged_file_leaves_no_trace(furnished, file, empty):
    await back_up(furnished.store.archive, file, secret=SECRET)
    content = bytearray(file.read_bytes())
    content[-200] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupRefused, match="damaged"):
        await put_back(file, empty)
    assert await empty._db.list_collection_names() == []


@pytest.mark.parametrize("stage", ["put_back", "finish_restore"])
async def test_an_interrupted_restore_is_served_by_nobody_and_goes_on(
    furnished, file, empty, tmp_path, monkeypatch, stage
):
    """Fails when the place is not marked before the first document, or the second try does not
    know what the first one stored."""
    monkeypatch.setattr(backup_module, "BATCH", 2)
    await back_up(furnished.store.archive, file, secret=SECRET)
    doing, times = getattr(Archive, stage), []

    async def broken(self, *words, **more):
        times.append(words)
        if stage == "finish_restore" or len(times) < 4:
            await doing(self, *words, **more)
        if stage == "finish_restore":
            await self._db.meta.update_one({"_id": "restore"}, {"$set": {"done": False}})
        if stage == "finish_restore" or len(times) == 4:
            raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Archive, stage, broken)
        with pytest.raises(asyncio.CancelledError):
            await put_back(file, empty)
    with pytest.raises(RestoreUnfinished, match="same restore command again"):
        await empty.prepare()
    with pytest.raises(RestoreUnfinished):
        await back_up(empty.archive, tmp_path / "half", secret=SECRET)
    other = tmp_path / "other"
    await back_up(furnished.store.archive, other, secret=SECRET)
    with pytest.raises(BackupRefused, match="another file was interrupted"):
        await put_back(other, empty)
    await put_back(file, empty)
    await empty.prepare()
    whole, restored = await everything(furnished.store), await everything(empty)
    for name in ("messages", "conversations", "logos", "revoked"):
        assert restored[name] == whole[name]
    assert restored["participants"].keys() == whole["participants"].keys()


async def test_what_somebody_changed_in_half_a_restore_is_not_served(
    furnished, file, empty, monkeypatch
):
    await back_up(furnished.store.archive, file, secret=SECRET)

    async def never(self, version):
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "finish_restore", never)
        with pytest.raises(Unavailable):
            await put_back(file, empty)
    await empty._db.messages.update_one({"seq": 2}, {"$set": {"text": "forged"}})
    with pytest.raises(BackupRefused, match="changed here"):
        await put_back(file, empty)


# --- Other schemas ------------------------------------------------------------------------------


async def test_an_older_backup_is_brought_up(furnished, file, empty):
    db = furnished.store._db
    await db.conversations.update_many({}, {"$unset": {"turn_at": ""}})
    await db.meta.update_one({"_id": "schema"}, {"$set": {"version": 1}})
    await back_up(furnished.store.archive, file, secret=SECRET)
    assert held_header(file).schema == 1
    await put_back(file, empty)
    assert await empty.schema_version() == VERSION
    assert await empty._db.conversations.find_one({"turn_at": {"$exists": False}}) is None


async def test_a_newer_backup_and_a_newer_shop_are_refused_in_words(furnished, file, empty):
    header = Header(FORM, VERSION + 1, "f00d", datetime.now(UTC), "")
    with file.open("wb") as opened:
        Writer(opened, header).finish()
    with pytest.raises(BackupRefused, match=f"schema {VERSION + 1}.* use a newer Shopbell"):
        await put_back(file, empty)
    await furnished.store._db.meta.update_one({"_id": "schema"}, {"$inc": {"version": 1}})
    with pytest.raises(SchemaTooNew):
        await back_up(furnished.store.archive, file, secret=SECRET)
