"""P22: an older database is brought up by steps that may be killed, a newer one is left alone."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models import store_schema
from models.errors import Unavailable
from models.store import RestoreUnfinished, SchemaTooNew, Store
from models.store_connection import connected
from models.store_schema import INDEXES, STEPS, VERSION, Step, marks_of, prepare
from tests.store.cast import LENA, MAYA, NOON, OMAR, conversation, identity, message

ROOT = Path(__file__).parents[2]
SECONDS = 30

# Does the real step with pages of two, and is gone while it gathers the third of them.
KILLED = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[1])
from models import store_schema
from models.store import Store

real, made = store_schema.UpdateOne, []

def or_die(*words):
    made.append(real(*words))
    if len(made) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return made[-1]

store_schema.PAGE, store_schema.UpdateOne = 2, or_die

async def main():
    await Store(*sys.argv[2:]).prepare()

asyncio.run(main())
"""


@pytest.fixture
async def database(engine_uri, database_name):
    """The bare database of this test."""
    client = connected(engine_uri)
    yield client[database_name]
    client.close()


async def version_of(database):
    return (await marks_of(database))["schema"]["version"]


@pytest.fixture
async def old(store, database):
    """Eight conversations as the first Shopbell kept them; Maya spoke last in each, since 3."""
    talks = []
    for _ in range(8):
        talk = conversation(identity("Buyer", f"b{len(talks)}"), OMAR)
        said = [(MAYA, 1), (OMAR, 2), (MAYA, 3), (MAYA, 4)]
        messages = [
            message(talk.id, seq, sender=sender, at=NOON.replace(minute=seq))
            for sender, seq in said
        ]
        await store.insert_messages(messages)
        talk.last_seq, talk.last = 4, messages[-1]
        talks.append(talk)
    talks.append(conversation(LENA, OMAR))  # nobody has spoken there
    await store.insert_conversations(talks)
    await database.conversations.update_many({}, {"$unset": {"turn_at": ""}})
    await database.meta.update_one({"_id": "schema"}, {"$set": {"version": 1}})
    return talks


async def turns_of(database):
    found = await database.conversations.find({}, {"turn_at": 1}).to_list(None)
    return {str(document["_id"]): document.get("turn_at", "unknown") for document in found}


async def check_brought_up(store, database, old):
    assert await version_of(database) == VERSION
    *spoken, silent = old
    expected = {talk.id: NOON.replace(minute=3) for talk in spoken} | {silent.id: None}
    assert await turns_of(database) == expected


async def test_an_older_database_is_brought_up_and_keeps_its_epoch(store, database, old):
    """Fails when the start does not take the steps."""
    epoch = (await marks_of(database))["schema"]["epoch"]
    assert await store.prepare() == epoch
    await check_brought_up(store, database, old)
    assert (await store.conversation(old[0].id)).turn_at == NOON.replace(minute=3)


async def test_a_step_that_was_killed_is_done_once_more(
    store, database, old, engine_uri, database_name
):
    """Fails when the version is written before the step is done, or the step cannot go on from
    where another one stopped."""
    words = [sys.executable, "-c", KILLED, ROOT, engine_uri, database_name]
    done = subprocess.run(words, timeout=SECONDS, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert await version_of(database) == 1
    turns = list((await turns_of(database)).values())
    assert 0 < turns.count("unknown") < len(turns)
    await store.prepare()
    await check_brought_up(store, database, old)


async def test_a_step_leaves_alone_what_a_newer_process_noted(store, database, old, monkeypatch):
    noted = NOON.replace(hour=1)
    looking = store_schema._turn_at

    async def slow(database, document):
        where = {"_id": document["_id"]}
        await database.conversations.update_one(where, {"$set": {"turn_at": noted}})
        return await looking(database, document)

    monkeypatch.setattr(store_schema, "_turn_at", slow)
    await store.prepare()
    assert set((await turns_of(database)).values()) == {noted}


async def test_steps_come_in_order_and_once_and_each_is_noted_when_it_is_done(database):
    taken = []

    def step(version, *, fails=False):
        async def run(asked):
            taken.append((version, await version_of(asked)))
            if fails:
                raise Unavailable

        return Step(version, run)

    await prepare(database, steps=[])
    with pytest.raises(Unavailable):
        await prepare(database, steps=[step(2), step(3, fails=True), step(4)])
    assert taken == [(2, 1), (3, 2)]
    await prepare(database, steps=[step(2), step(3), step(4)])
    assert taken == [(2, 1), (3, 2), (3, 2), (4, 3)]
    await prepare(database, steps=[step(2), step(3), step(4)])
    assert len(taken) == 4
    assert await version_of(database) == 4


def test_the_steps_are_numbered_without_a_gap():
    assert [step.version for step in STEPS] == list(range(2, VERSION + 1))


async def test_a_new_database_needs_no_step(database):
    async def never(asked):
        raise AssertionError

    await prepare(database, steps=[Step(2, never)])
    assert await version_of(database) == 2
    assert set(await database.list_collection_names()) >= set(INDEXES)


async def test_a_newer_database_is_refused_in_words_and_left_as_it_is(
    database, engine_uri, database_name
):
    """Fails when the indexes are made, or a step is taken, before the version is looked at."""
    newer = {"_id": "schema", "version": VERSION + 1, "epoch": "theirs"}
    await database.meta.insert_one(newer)
    store = Store(engine_uri, database_name)
    with pytest.raises(SchemaTooNew, match=f"schema {VERSION + 1}, this Shopbell knows {VERSION}"):
        await store.prepare()
    store.close()
    assert await marks_of(database) == {"schema": newer}
    assert await database.list_collection_names() == ["meta"]


async def test_half_a_restore_is_refused_in_words_and_left_as_it_is(store, database):
    await database.meta.insert_one({"_id": "restore", "done": False})
    with pytest.raises(RestoreUnfinished, match="interrupted"):
        await store.prepare()
    await database.meta.update_one({"_id": "restore"}, {"$set": {"done": True}})
    await store.prepare()


async def test_files_that_were_copied_are_another_history(store, database):
    """P6: with its old epoch, a client that is not ahead would be told of the rest only. Fails when
    the epoch is that of the documents alone."""
    first = await store.prepare()
    assert await store.prepare("here") == first
    assert await store.prepare("here") == first
    assert await store.prepare() == first  # a command, and a MongoDB
    again = await store.prepare("there")
    assert again != first
    assert await store.prepare("there") == again == await store.prepare()
