"""The checker finds each fault that is planted, and none where there is none."""

import pytest

from tests.chaos.checker import faults, receipt_faults

SENT = {f"maya-{number}" for number in range(1, 5)}
ACKED = {"maya-1": 1, "maya-2": 2, "maya-3": 3}


def stored(*places):
    return [{"client_id": f"maya-{number}", "seq": seq} for number, seq in places]


@pytest.mark.parametrize(
    "messages", [stored((1, 1), (2, 2), (3, 3)), stored((1, 1), (2, 2), (3, 3), (4, 4))]
)
def test_what_is_whole_has_no_fault_be_the_last_one_stored_or_not(messages):
    assert faults(SENT, ACKED, messages) == []


@pytest.mark.parametrize(
    ("fault", "messages"),
    [
        ("lost", stored((1, 1), (2, 2))),
        ("twice", stored((1, 1), (2, 2), (3, 3), (3, 4))),
        ("phantom", stored((1, 1), (2, 2), (3, 3), (9, 4))),
        ("hole", stored((1, 1), (2, 2), (3, 3), (4, 5))),
        ("disorder", stored((2, 2), (1, 1), (3, 3))),
        ("moved", stored((1, 1), (3, 2), (2, 3))),
        ("order is broken", stored((2, 1), (1, 2), (3, 3))),
    ],
)
def test_a_planted_fault_is_found(fault, messages):
    assert any(fault in sentence for sentence in faults(SENT, ACKED, messages))


def test_receipts_that_only_grow_have_no_fault():
    told = [("omar has read maya", 1), ("maya has read omar", 5), ("omar has read maya", 1)]
    assert receipt_faults([*told, ("omar has read maya", 4)]) == []


def test_a_receipt_that_went_back_is_found():
    told = [("omar has read maya", 4), ("maya has read omar", 1), ("omar has read maya", 3)]
    assert receipt_faults(told) == ["backward: omar has read maya from 4 to 3"]
