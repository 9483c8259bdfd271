"""Real processes are killed under load: what was acknowledged is there, once, in order."""

import random
import sys
from collections import Counter

import pytest

from tests.chaos.checker import faults
from tests.chaos.history import told
from tests.chaos.killing import WRITERS, kill_loop

KILLS = 10

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the database's process in /proc"),
]


@pytest.mark.gen_test(timeout=170)
async def test_ten_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path, seed):
    """P1, P4, P13, P18: eight writers by socket and by HTTP, two readers; server, engine and both
    are killed in turn. ``python -m tests.chaos --kills=300`` is the same at length.

    Fails when ``j=True`` is taken from the write concern in ``models/store.py``, and when the
    unique index of ``client_id`` is not made.
    """
    history = await kill_loop(tmp_path / "data", random.Random(seed), kills=KILLS)
    assert not faults(history), told(faults(history), seed)
    acked = Counter(line.who for line in history if line.op == "send" and line.state == "ok")
    assert min(acked[f"Buyer:{name}"] for name in WRITERS) >= KILLS, told([], seed)  # under load
    assert sum(line.op == "receipt" for line in history) > KILLS, told([], seed)
