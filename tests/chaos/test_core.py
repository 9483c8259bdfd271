"""The client's core against the contract's model, whatever the network and the server do."""

import json
import shutil
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.chaos.model import CONVERSATION, MAYA, OMAR, ModelServer, encoded

CORE = Path(__file__).with_name("core.js")
FLOWING_ROUNDS = 5
HEALING_ROUNDS = 60

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="apt-get install nodejs")


class Core:
    """The child that runs ``core.js``; one for all examples."""

    def __init__(self) -> None:
        command = [shutil.which("node") or "node", str(CORE)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, command: str, **how: Any) -> dict[str, Any]:
        self._process.stdin.write(json.dumps({"do": command, **how}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "The client's core has crashed; it said why above."
        return json.loads(answer)

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class PageAndServer(RuleBasedStateMachine):
    """One page of Maya's, a server, Omar and another tab; the network is the rules' to move.

    ``rows`` is what the page shows, by ``seq``; ``typed`` what was ever typed on it, in order.
    """

    core: Core

    @initialize(before=st.integers(0, 3))
    def load_the_first_time(self, before):
        self.server = ModelServer()
        self.numbers = count(1)
        self.typed: dict[str, str] = {}
        self.acked: set[str] = set()
        for _ in range(before):
            self.omar_writes()
        self.core("forget")
        self.load()

    def load(self):
        """The server renders the page with all that is stored."""
        self.rows = {m["seq"]: m["client_id"] for m in self.server.messages}
        self.truth = self.server.messages
        self.head = len(self.rows)
        self.is_registered = False
        self.server.unlink()
        since = {CONVERSATION: len(self.rows)} if self.rows else {}
        self.do("load", since=since, epoch=self.server.epoch)

    def do(self, command, **how):
        """Has the page do something, and takes in what came of it."""
        after = self.core(command, **how)
        told = after["told"]
        self.unsent, self.state = after["unsent"], after["state"]
        for what in sorted(told, key=lambda what: what["told"] != "stored"):
            getattr(self, f"_{what['told'].replace(' ', '_')}")(what)

    # --- What the page tells --------------------------------------------------------------------

    def _dialled(self, _):
        self.server.unlink()
        self.dialled = True

    def _hung_up(self, _):
        if not self.dialled:
            self.server.unlink()

    def _frame(self, what):
        if self.server.is_linked:
            self.server.up.append(json.loads(what["text"]))

    def _stored(self, what):
        message = what["message"]
        assert message["message"] == self.typed[what["client_id"]]
        self.acked.add(what["client_id"])
        if self.truth is self.server.messages or message in self.truth:
            assert self.rows.get(message["seq"], what["client_id"]) == what["client_id"]
            self.rows[message["seq"]] = what["client_id"]

    def _message(self, what):
        message = what["message"]
        assert message["seq"] not in self.rows, "shown twice"
        assert message["seq"] - 1 in {0, *self.rows}, "shown before the one before it"
        self.rows[message["seq"]] = message["client_id"]

    def _reset(self, _):
        """The page loads the conversation again, as the server has it now."""
        self.truth = self.server.messages
        self.rows = {m["seq"]: m["client_id"] for m in self.truth[: self.head]}

    def _refused(self, what):
        raise AssertionError(f"refused for good: {what}")

    def _error(self, what):
        raise AssertionError(what["error"])

    # --- People ---------------------------------------------------------------------------------

    @rule()
    def maya_types(self):
        client_id = f"typed {next(self.numbers)}"
        self.typed[client_id] = f"text of {client_id}"
        self.do("type", client_id=client_id, message=self.typed[client_id])

    @rule()
    def omar_writes(self):
        client_id = f"omar {next(self.numbers)}"
        self.server.write(OMAR, client_id, client_id)

    @rule()
    def another_tab_writes(self):
        client_id = f"elsewhere {next(self.numbers)}"
        self.server.write(MAYA, client_id, client_id)

    @rule()
    def the_page_is_loaded_again(self):
        self.load()

    @rule()
    def the_tab_was_hidden_for_a_minute(self):
        self.do("catchUp")

    # --- The network ----------------------------------------------------------------------------

    @precondition(lambda self: self.dialled)
    @rule()
    def the_socket_opens(self):
        self.dialled = False
        self.server.link()
        self.do("open")

    @rule()
    def the_network_flows(self):
        """For a moment nothing is wrong."""
        if self.dialled:
            self.the_socket_opens()
        for _ in range(FLOWING_ROUNDS):
            while self.server.up:
                self.server.read()
            if self.server.down:
                self.the_page_hears(len(self.server.down), twice=False)

    @precondition(lambda self: self.server.up)
    @rule(fails=st.sampled_from(["", "", "", "before", "after"]))
    def the_server_reads(self, fails):
        is_message = self.server.up[0]["event"] == "send_message"
        self.server.read(fails=fails if is_message else "")

    @precondition(lambda self: self.server.down)
    @rule(count=st.integers(1, 5), twice=st.booleans())
    def the_page_hears(self, count, twice):
        frames = [self.server.down.popleft() for _ in range(min(count, len(self.server.down)))]
        pushed = [frame for frame in frames if frame["event"] == "new_message"]
        for frame in frames:
            if frame["event"] == "ack" and "conversations" in frame["data"]:
                self.take_in(frame["data"]["conversations"])
        self.do("hear", text=encoded(frames + (pushed if twice else [])))

    def take_in(self, conversations):
        """What came into being between rendering and connecting is loaded over HTTP."""
        self.head = conversations[0]["last_seq"] if conversations else 0
        if not self.is_registered and not self.rows:
            self._reset(None)
        self.is_registered = True

    @precondition(lambda self: any(f["event"] == "new_message" for f in self.server.down))
    @rule()
    def a_push_is_lost(self):
        lost = next(f for f in self.server.down if f["event"] == "new_message")
        self.server.down.remove(lost)

    @precondition(lambda self: self.server.is_linked)
    @rule(read=st.integers(0, 3))
    def the_connection_is_cut(self, read):
        """Or the server dies: what it has read has its effect, and nobody hears of it."""
        for _ in range(min(read, len(self.server.up))):
            self.server.read()
        self.server.unlink()
        self.do("lose")

    @rule(ms=st.sampled_from([300, 2_000, 11_000, 46_000]))
    def time_passes(self, ms):
        self.do("advance", ms=ms)

    @precondition(lambda self: len(self.server.messages) > 1)
    @rule(chance=st.floats(0, 1))
    def a_backup_is_restored(self, chance):
        kept = 1 + int(chance * (len(self.server.messages) - 1))
        was_linked = self.server.is_linked
        self.server.messages = list(self.server.messages)  # what the page shows was true once
        self.server.restore(kept)
        if was_linked:
            self.do("lose")

    # --- What is always so ----------------------------------------------------------------------

    @invariant()
    def what_is_shown_is_a_gapless_part_of_what_is_stored(self):
        stored = {m["seq"]: m["client_id"] for m in self.truth}
        assert self.rows.items() <= stored.items()

    @invariant()
    def what_was_typed_is_pending_or_acknowledged(self):
        assert set(self.typed) == self.acked | set(self.unsent)
        assert not self.acked & set(self.unsent)

    @invariant()
    def what_was_typed_is_stored_once_and_in_its_order(self):
        stored = [m["client_id"] for m in self.server.messages if m["client_id"] in self.typed]
        order = list(self.typed)
        assert [order.index(client_id) for client_id in stored] == sorted(
            {order.index(client_id) for client_id in stored}
        )

    def teardown(self):
        """The network heals, Omar writes once more: the page ends with all that is stored."""
        if not hasattr(self, "server"):
            return
        self.omar_writes()
        for _ in range(HEALING_ROUNDS):
            self.the_network_flows()
            if self.is_whole():
                return
            self.server.beat()  # or it would come back because of the silence
            self.do("advance", ms=1_000)
        assert self.is_whole(), (self.rows, self.unsent, self.state)

    def is_whole(self):
        shown = [self.rows.get(m["seq"]) for m in self.server.messages]
        stored = [m["client_id"] for m in self.server.messages]
        return shown == stored and len(self.rows) == len(stored) and not self.unsent


def test_whatever_happens_a_page_shows_a_gapless_part_of_the_truth_and_heals():
    """P3, P5, P6, P7, P8: the browser's core, run by Node, against the contract's model.

    Fails when ``sequence.js`` hands out what has a gap before it or what was called back, when
    ``outgoing.js`` gives a repeat another ``client_id`` or lets a lane's second overtake its first,
    when ``arrivals.js`` does not ask for what is missing, and when ``outbox.js`` forgets.
    """
    PageAndServer.core = Core()
    try:
        from hypothesis.stateful import run_state_machine_as_test

        run_state_machine_as_test(
            PageAndServer, settings=settings(max_examples=40, stateful_step_count=40)
        )
    finally:
        PageAndServer.core.end()
