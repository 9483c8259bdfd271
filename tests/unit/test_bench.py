"""The parts of the benchmark that need no server: what they get wrong, every figure has wrong."""

import os
from itertools import pairwise
from statistics import mean
from xml.etree import ElementTree

import pytest

from tests.bench.contest import Findings, Growth
from tests.bench.filling import NOW, talk
from tests.bench.load import Outcome
from tests.bench.measuring import (
    Spread,
    cpu_seconds,
    memory_bytes,
    percentile,
    ratios,
    schedule,
)
from tests.bench.outcome import as_markdown, as_plot, as_text
from tests.bench.people import buyer, seller
from tests.bench.report import Row, Target, cell, markdown, number, plain, verdict, verdicts
from tests.bench.sockets import Message

# --- Measuring ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(percent, value):
    assert percentile(range(100, 0, -1), percent) == value


def test_of_few_values_a_high_percentile_is_the_highest():
    assert percentile([3, 1, 2], 99) == 3
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([], 50) == 0


def test_a_spread_is_the_median_with_both_ends():
    assert Spread.of([3, 1, 10]) == (3, 1, 10)


def test_ratios_are_taken_round_by_round():
    assert ratios([10, 30], [2, 3]) == [5, 10]
    assert ratios([10, 30], [0, 3]) == [10]
    assert ratios([10], []) == []


def test_an_open_loop_is_due_at_random_moments_that_are_always_the_same():
    times = schedule(1000, 10, seed=1)
    gaps = [after - before for before, after in pairwise(times)]

    assert times == schedule(1000, 10, seed=1)
    assert times != schedule(1000, 10, seed=2)
    assert times == sorted(times)
    assert times[-1] < 10
    assert len(times) == pytest.approx(10_000, rel=0.05)
    assert mean(gaps) == pytest.approx(0.001, rel=0.05)
    assert max(gaps) > 0.004  # people do not write in step


def test_what_a_process_takes_is_read():
    assert cpu_seconds(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.5)
    assert 1_000_000 < memory_bytes(os.getpid()) < 2_000_000_000


def test_an_outcome_tells_rates_latencies_and_costs():
    outcome = Outcome(seconds=2, count=100, latencies=[0.001, 0.002, 0.009], cpu=[0.05, 0.15])

    assert outcome.rate == 50
    assert outcome.at(50) == 2
    assert outcome.at(99) == 9
    assert outcome.cpu_each(0) == 0.5
    assert outcome.cpu_each(0, 1) == pytest.approx(2)


# --- What is sent and stored --------------------------------------------------------------------


def test_a_message_bears_its_number_and_one_of_nobody_s_load_none():
    assert Message("17 Is it safe?").number == 17
    assert Message("Is it safe?").number == 0


def test_what_was_said_has_dense_numbers_and_ids_of_its_own():
    one, other = (talk(buyer(f"b{n}"), seller("s"), 1, 5, NOW) for n in range(2))
    messages = [part.message(seq) for part in (one, other) for seq in range(1, 6)]

    assert [message.seq for message in messages[:5]] == [1, 2, 3, 4, 5]
    assert len({message.id for message in messages}) == 10
    assert all(len(message.id) == 24 for message in messages)
    assert [message.sender for message in messages[3:5]] == ["Seller:s", "Buyer:b0"]
    assert one.conversation.last == one.message(5)
    assert one.conversation.unread_of("Seller:s") == 1


# --- The report ---------------------------------------------------------------------------------

FASTER = Target("peer", "five times the peer", at_least=5)
NEAR = Target("limit", "near the limit", at_least=0.8)
SHORT = Target("value", "short", at_most=5)


@pytest.mark.parametrize(
    ("value", "said"), [(0.0449, "0.04"), (9.87, "9.87"), (12.34, "12.3"), (2345.6, "2,346")]
)
def test_a_number_keeps_the_digits_that_count(value, said):
    assert number(value) == said


def test_a_cell_tells_the_median_and_how_far_the_rounds_lie_apart():
    assert cell([3, 1, 2]) == "2.00 (1.00 to 3.00)"
    assert cell([3]) == "3.00"
    assert cell([]) == ""


def test_a_target_is_met_or_missed_by_the_median():
    row = Row("a", "1/s", [10, 60, 20], [2, 10, 4], [20, 61, 30], [FASTER, NEAR, SHORT])

    assert [verdict(row, target) for target in row.targets] == [
        ("× 5.00", "met"),
        ("× 0.67", "missed"),
        ("20.0", "missed"),
    ]
    assert [line[0] for line in verdicts([row])] == [target.words for target in row.targets]


def test_a_target_without_a_peer_was_not_measured():
    assert verdict(Row("a", "1/s", [10]), FASTER) == ("", "not measured")


def test_tables_have_all_their_columns():
    assert Row("typing", "events/s", [10], [2], [5]).cells == (
        *("typing, events/s", "10.0", "2.00", "5.00"),
        *("× 5.00", "× 2.00"),
    )
    assert plain(["a", "b"], [["long", "x"]]) == "a     b\nlong  x"
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_what_grew_until_the_time_was_over_is_told():
    findings = Findings()
    findings.growth.append(Growth("a", "ms", "sockets", {10: [1], 20: [1], 30: [1]}))
    findings.growth.append(Growth("b", "ms", "messages", {10: [7]}))
    assert "7.00" in as_text(findings)
    assert "7.00" in as_markdown(findings)


def test_what_grows_is_told_and_drawn_size_by_size():
    findings = Findings(curve={"shopbell": {100: (1.0, 2.0), 400: (1.5, 9.0)}})
    findings.growth.append(Growth("a & b", "ms", "sockets", {10: [2, 1, 3], 1000: [4]}))

    root = ElementTree.fromstring(as_plot(findings))

    space = "{http://www.w3.org/2000/svg}"
    words = {text.text for text in root.iter(f"{space}text")}
    assert {"a & b, ms", "sockets", "What grows with sockets?", "Shopbell, p99", "200"} <= words
    assert as_plot(Findings()) == ""
