"""The checker finds each fault that is planted, and none where there is none."""

from dataclasses import replace

import pytest

from tests.chaos.checker import faults
from tests.chaos.history import History, canaries, canary, hash_of, key, pair, told

MAYA, OMAR, LENA = key("Buyer", "maya"), key("Seller", "omar"), key("Buyer", "lena")
TALK, OTHER_TALK = pair(MAYA, OMAR), pair(LENA, OMAR)


class Told:
    """Builds a history, line by line; everything has a default that is right."""

    def __init__(self):
        self.history = History()

    def send(self, number, *states, seq=None, by=MAYA, client=None, text=None, talk=TALK):
        client_id = f"{by}-{number}"
        same = {"client_id": client_id, "hash": hash_of(text or client_id), "sender": by}
        for state in states or ("invoke", "ok"):
            place = {"seq": number if seq is None else seq} if state == "ok" else {}
            self.history.add(client or f"{by} 1", by, "send", talk, state, **same, **place)
        return self

    def see(
        self, op, number, seq=None, *, client="omar 1", who=OMAR, by=MAYA, talk=TALK, text=None
    ):
        client_id = f"{by}-{number}"
        same = {"client_id": client_id, "hash": hash_of(text or client_id), "sender": by}
        self.history.add(client, who, op, talk, seq=number if seq is None else seq, **same)
        return self

    def stored(self, *places, **more):
        for number, seq in places:
            self.see("stored", number, seq, client="truth", **more)
        return self

    def received(self, *numbers, **more):
        for number in numbers:
            self.see("receive", number, **more)
        return self

    def line(self, op, client="omar 1", who=OMAR, talk=TALK, **more):
        self.history.add(client, who, op, talk, **more)
        return self


def sent(count=3):
    told = Told()
    for number in range(1, count + 1):
        told.send(number)
    return told


def whole():
    """Three messages sent, shown to two of Omar's devices, stored; a fourth of unknown outcome."""
    all_ = sent().send(4, "invoke", "unknown").line("start", seq=0)
    all_.line("start", client="omar 2", seq=1)
    all_.received(1, 2, 3, 4).received(2, 3, 4, client="omar 2")
    all_.line("receipt", note="read by omar", seq=2).line("receipt", note="read by omar", seq=3)
    all_.line("hear", note=canary(TALK)).line("end").line("end", client="omar 2")
    return all_.stored((1, 1), (2, 2), (3, 3), (4, 4))


def test_what_is_whole_has_no_fault():
    assert faults(whole().history) == []


def test_what_was_never_acknowledged_may_be_missing():
    told = sent().send(4, "invoke", "unknown").send(5, "invoke", "fail")
    assert faults(told.stored((1, 1), (2, 2), (3, 3)).history) == []


def test_a_client_that_writes_needs_no_call_back_for_its_own():
    told = sent().line("start", client=f"{MAYA} 1", who=MAYA, seq=0)
    told.send(4, by=OMAR, client="omar 1").received(4, client=f"{MAYA} 1", who=MAYA, by=OMAR)
    told.line("end", client=f"{MAYA} 1", who=MAYA)
    assert faults(told.stored((1, 1), (2, 2), (3, 3)).stored((4, 4), by=OMAR).history) == []


def test_after_a_reset_a_client_begins_anew():
    told = sent().line("start", seq=7).line("reset", seq=7, last=3).line("start", seq=2)
    assert faults(told.received(3).line("end").stored((1, 1), (2, 2), (3, 3)).history) == []


def test_a_reset_after_a_restore_or_over_a_thousand_is_honest():
    told = Told().line("reset", seq=5, last=6, note="epoch").line("reset", seq=0, last=1_001)
    assert faults(told.history) == []


TRUTH = ((1, 1), (2, 2), (3, 3))

KNOWN_BAD = {
    "an acknowledged message is gone": ("lost ack", sent().stored((1, 1), (2, 2))),
    "an acknowledged message moved": ("lost ack", sent().stored((1, 1), (3, 2), (2, 3))),
    "all is gone": ("lost ack", sent().line("end")),
    "a message is stored twice": ("duplicate", sent().stored(*TRUTH, (3, 4))),
    "two messages have one number": ("duplicate", sent().stored((1, 1), (2, 2), (3, 2))),
    "a repeat got another number": ("duplicate", sent().send(3, "invoke", "ok", seq=4)),
    "a message is shown twice": ("duplicate", sent().line("start", seq=0).received(1, 2, 2)),
    "a message is shown again later": ("duplicate", sent().line("start", seq=0).received(1, 2, 1)),
    "nobody wrote what is stored": ("phantom", sent().stored(*TRUTH, (9, 4))),
    "nobody wrote what is shown": ("phantom", sent().received(9)),
    "the text is another": ("phantom", sent().stored((1, 1), (2, 2)).stored((3, 3), text="else")),
    "what was refused is stored": ("phantom", sent().send(4, "fail").stored(*TRUTH, (4, 4))),
    "two readers differ": (
        "order",
        sent().received(1).received(2, seq=1, client="omar 2"),
    ),
    "a reader and the truth differ": ("order", sent().received(2, seq=1).stored(*TRUTH)),
    "it is not read in its order": ("disorder", sent().stored((2, 2), (1, 1), (3, 3))),
    "a number is missing": ("hole", sent().stored((1, 1), (2, 2), (3, 4))),
    "a reader misses one": ("hole", sent().line("start", seq=0).received(1, 3)),
    "a reader ends too soon": (
        "hole",
        sent().line("start", seq=0).received(1).line("end").stored(*TRUTH),
    ),
    "a sender's order is broken": (
        "sender's order",
        Told().send(2, "invoke").send(1, "invoke").stored((1, 1), (2, 2)),
    ),
    "a receipt goes back": (
        "backward",
        Told().line("receipt", note="read", seq=4).line("receipt", note="read", seq=3),
    ),
    "a receipt passes the end": (
        "backward",
        sent().line("receipt", note="read", seq=9).stored(*TRUTH),
    ),
    "a stranger hears a text": ("foreign", sent().line("hear", who=LENA, note=canary(TALK))),
    "a stranger is shown a message": ("foreign", sent().received(1, who=LENA, client="lena 1")),
    "a message is shown in another talk": (
        "foreign",
        sent().received(1, who=LENA, client="lena 1", talk=OTHER_TALK),
    ),
    "a reset without need": ("reset", Told().line("reset", seq=5, last=6)),
}


@pytest.mark.parametrize(("fault", "bad"), KNOWN_BAD.values(), ids=KNOWN_BAD.keys())
def test_a_planted_fault_is_found(fault, bad):
    assert any(sentence.startswith(f"{fault}:") for sentence in faults(bad.history))


def test_of_a_whole_history_no_stored_line_can_be_taken_away_or_doubled():
    history = whole().history
    stored = [line for line in history if line.op == "stored"]
    for line in stored[:3]:
        assert faults([other for other in history if other is not line])
        assert faults([*history, line])
        assert faults([replace(o, seq=o.seq + 1) if o is line else o for o in history])


def test_a_history_is_kept_and_read_again(tmp_path):
    history = whole().history
    history.write(tmp_path / "history.jsonl")
    assert History.read(tmp_path / "history.jsonl") == history


def test_canaries_are_found_in_what_came_by():
    assert list(canaries(f'{{"x":"{canary(TALK)} Hello"}}')) == [canary(TALK)]
    assert canary(TALK) != canary(OTHER_TALK)


def test_a_failure_says_its_seed():
    assert told(["hole: a"], 7) == "SHOPBELL_TEST_SEED=7\nhole: a"
