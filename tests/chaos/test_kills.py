"""Real processes are killed under load: what was acknowledged is there, once, in order."""

import random
import sys
from collections import Counter

import pytest

from tests.chaos.checker import faults
from tests.chaos.history import told
from tests.chaos.killing import WRITERS, kill_loop

KILLS = 20  # of each part in turn; the long tier has three hundred

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the database's process in /proc"),
]


@pytest.mark.gen_test(timeout=400)
async def test_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path, seed):
    """P1, P4, P13, P18: eight writers by socket and by HTTP, two readers; server, engine and both
    are killed in turn. ``python -m tests.chaos --kills=300`` is the same at length.

    What is lost without journaling is a matter of luck over so few kills, and a repeat is caught by
    the journal and by the unique index, so neither alone fails this: the next test and
    ``store/test_store.py`` hold them. Fails when a message is acknowledged before it is stored.
    """
    history = await kill_loop(tmp_path / "data", random.Random(seed), kills=KILLS)
    assert not faults(history), told(faults(history), seed)
    acked = Counter(line.who for line in history if line.op == "send" and line.state == "ok")
    assert min(acked[f"Buyer:{name}"] for name in WRITERS) >= KILLS, told([], seed)  # under load
    assert sum(line.op == "receipt" for line in history) > KILLS, told([], seed)


async def test_every_write_asks_to_be_journaled(server):
    """P1: without it 165 of 8,751 acknowledged writes were lost to SIGKILL.

    Fails when ``journal=True`` or ``w="majority"`` is taken from ``models/store_connection.py``.
    """
    store = server.shop.store
    assert store._db.write_concern.document == {"w": "majority", "j": True}
    assert store._db.messages.write_concern.document == {"w": "majority", "j": True}
