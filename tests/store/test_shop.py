import asyncio
import time

import pytest

from models import shop as shop_module
from models.errors import Unavailable
from tests.store.cast import MAYA, NOON, OMAR, draft, eventually


async def test_a_polite_stop_leaves_nothing_behind(shop, store):
    futures = [shop.journal.append(draft(f"{n}")) for n in range(20)]
    await shop.shop.drain()
    assert all(future.done() for future in futures)
    live = await shop.ledger.between(MAYA.key, OMAR.key)
    assert await store.conversation(live.id) == live
    assert live.last_seq == 20


async def test_a_stop_ends_in_time_though_the_database_hangs(
    shop, open_shop, proxy, engine_uri, monkeypatch
):
    monkeypatch.setattr(shop_module, "DRAIN_SECONDS", 0.2)
    monkeypatch.setattr(shop_module, "SETTLE_SECONDS", 0.1)
    far = await open_shop(proxy.uri(engine_uri), asleep=["ledger"])
    await far.append(draft())
    proxy.hold()
    left = far.journal.append(draft())
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await far.shop.drain()
    assert time.monotonic() - started < 2
    left.cancel()  # nobody waits for it any more
    proxy.heal()


async def test_what_a_killed_shop_did_is_whole_in_the_next_one(shop, open_shop):
    await shop.store.introduce(OMAR.key, "Omar", NOON)
    futures = [shop.journal.append(draft(f"{n}", client_id=f"{n}")) for n in range(20)]
    await eventually(lambda: all(future.done() for future in futures))
    await shop.kill()
    restarted = await open_shop()
    assert (await restarted.history.unread_count(OMAR)).count == 20
    [shown] = (await restarted.history.conversations(OMAR, limit=9)).conversations
    assert (shown.last_seq, shown.last_message.message) == (20, "19")
    again = await asyncio.wait_for(restarted.append(draft("19", client_id="19")), 5)
    assert again.duplicate


async def test_a_database_keeps_its_epoch_across_restarts(shop, open_shop):
    epoch = shop.chat.epoch
    await shop.kill()
    assert (await open_shop()).chat.epoch == epoch != ""
