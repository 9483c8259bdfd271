"""Says what is wrong with a conversation after everything went wrong around it. Pure: values in,
sentences out."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any


def faults(
    sent: Set[str], acked: Mapping[str, int], stored: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What one sender's conversation breaks of what was promised.

    ``sent`` are the ``client_id`` that were ever handed in, in the order of their numbers after the
    last dash; ``acked`` those that were acknowledged, with the ``seq`` that was told; ``stored``
    the messages as they are read at the end, in the order in which they were read.
    """
    found = []
    seqs = [message["seq"] for message in stored]
    if seqs != sorted(seqs):
        found.append(f"disorder: {seqs}")
    if sorted(set(seqs)) != list(range(1, len(set(seqs)) + 1)):
        found.append(f"hole: {sorted(set(seqs))}")
    times = Counter(message["client_id"] for message in stored)
    found += [f"twice: {client_id}" for client_id, n in times.items() if n > 1]
    found += [f"phantom: {client_id}" for client_id in times if client_id not in sent]
    place = {message["client_id"]: message["seq"] for message in stored}
    for client_id, seq in acked.items():
        if client_id not in place:
            found.append(f"lost: {client_id}")
        elif place[client_id] != seq:
            found.append(f"moved: {client_id} from {seq} to {place[client_id]}")
    numbers = [int(m["client_id"].rpartition("-")[2]) for m in stored if m["client_id"] in sent]
    if numbers != sorted(numbers):
        found.append(f"the sender's order is broken: {numbers}")
    return found


def receipt_faults(told: Sequence[tuple[str, int]]) -> list[str]:
    """Which watermarks went back: ``told`` are their names and values, in the order in which they
    were told by answers that came one after the other."""
    found = []
    highest: dict[str, int] = {}
    for name, seq in told:
        if seq < highest.get(name, 0):
            found.append(f"backward: {name} from {highest[name]} to {seq}")
        highest[name] = max(seq, highest.get(name, 0))
    return found
