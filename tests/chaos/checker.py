"""Says what is wrong with a history after everything went wrong around it. Pure: lines in,
sentences out, and nothing is asked of anybody."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tests.chaos.history import Line, canary

REPLAYED = 1_000  # CONTRACT section 4: more missing messages are a reset

Message = tuple[str | None, str | None]  # whose it is: the sender and the ``client_id``


def faults(history: Sequence[Line]) -> list[str]:
    """What breaks a promise, a sentence each, beginning with the fault's name; empty if all held.

    Conversations are judged against their ``stored`` lines; one without any is judged by what its
    clients saw.
    """
    sends = [line for line in history if line.op == "send"]
    found = [*_receipts(history), *_canaries(history), *_resets(history)]
    for conversation in sorted({line.conversation for line in history if line.op != "hear"}):
        lines = [line for line in history if line.conversation == conversation]
        stored = [line for line in lines if line.op == "stored"]
        found += _stored(stored, sends)
        found += _acknowledged(lines, stored)
        found += _order_of_readers(lines)
        found += _senders_order(lines, stored)
        for client in sorted({line.client for line in lines if line.op != "stored"}):
            own = [line for line in lines if line.client == client]
            found += _shown(own, stored)
    return found


# --- The truth at the end -----------------------------------------------------------------------


def _stored(stored: Sequence[Line], sends: Sequence[Line]) -> Iterator[str]:
    where = f"in {stored[0].conversation}" if stored else ""
    seqs = [line.seq or 0 for line in stored]
    if seqs != sorted(seqs):
        yield f"disorder: {where} it is read as {_short(seqs)}"
    known = set(seqs)
    first, last = min(known, default=1), max(known, default=0)
    if missing := sorted(set(range(first, last + 1)) - known):
        yield f"hole: {where} {_short(missing)} are missing"
    times = Counter(map(_message, stored))
    yield from (f"duplicate: {m[1]} is stored {n} times {where}" for m, n in times.items() if n > 1)
    for seq, n in Counter(seqs).items():
        if n > 1:
            yield f"duplicate: {n} messages are number {seq} {where}"
    handed_in: dict[Message, Line] = {
        (line.who, line.client_id): line for line in sends if line.state == "invoke"
    }
    for line in stored:
        sent = handed_in.get(_message(line))
        if sent is None or sent.conversation != line.conversation or sent.hash != line.hash:
            yield f"phantom: {line.client_id} of {line.sender} was never sent so {where}"
    for line in sends:
        if line.state == "fail" and (line.who, line.client_id) in times:
            yield f"phantom: {line.client_id} of {line.who} was refused, and is stored"


def _acknowledged(lines: Sequence[Line], stored: Sequence[Line]) -> Iterator[str]:
    place = {_message(line): line.seq for line in stored}
    acked: dict[Message, int | None] = {}
    for line in lines:
        if line.op != "send" or line.state != "ok":
            continue
        message = (line.who, line.client_id)
        if acked.setdefault(message, line.seq) != line.seq:
            yield f"duplicate: {line.client_id} was acknowledged as {acked[message]} and {line.seq}"
        if stored and message not in place:
            yield f"lost ack: {line.client_id} of {line.who}, acknowledged as {line.seq}, is gone"
        elif stored and place[message] != line.seq:
            yield f"lost ack: {line.client_id} moved from {line.seq} to {place[message]}"
    if acked and not stored and any(line.op == "end" for line in lines):
        yield f"lost ack: of {len(acked)} acknowledged messages nothing is stored"


def _senders_order(lines: Sequence[Line], stored: Sequence[Line]) -> Iterator[str]:
    """What one client wrote is stored as it was written, whoever had to send it again."""
    written: dict[Message, tuple[str, int]] = {}
    for line in lines:
        if line.op == "send" and line.state == "invoke":
            written.setdefault((line.who, line.client_id), (line.client, len(written)))
    orders: defaultdict[str, list[int]] = defaultdict(list)
    for line in stored:
        if _message(line) in written:
            client, number = written[_message(line)]
            orders[client].append(number)
    for client, numbers in orders.items():
        if numbers != sorted(numbers):
            yield f"sender's order: {client} wrote otherwise than {_short(numbers)}"


# --- What clients showed ------------------------------------------------------------------------


def _order_of_readers(lines: Sequence[Line]) -> Iterator[str]:
    """Whatever the conversation was, at one place there is one message for everybody."""
    at: dict[int | None, tuple[str, Message, str | None]] = {}
    for line in lines:
        if line.op in {"receive", "stored"}:
            first = at.setdefault(line.seq, (line.client, _message(line), line.hash))
            if first[1:] != (_message(line), line.hash):
                yield (
                    f"order: number {line.seq} of {line.conversation} is {first[1][1]}"
                    f" for {first[0]} and {line.client_id} for {line.client}"
                )


def _shown(own: Sequence[Line], stored: Sequence[Line]) -> Iterator[str]:
    """One client's view: gapless from where it began, each once, whole at its end.

    One's own messages are told by their ack; they take their places without a callback.
    """
    name, conversation = own[0].client, own[0].conversation
    answered = {line.seq for line in own if line.op == "send" and line.state == "ok"}
    position: int | None = None
    for line in own:
        if line.op == "start":
            position = line.seq
        elif line.op == "reset":
            position = None
        elif line.op == "receive" and line.seq is not None:
            if position is not None and line.seq <= position:
                yield f"duplicate: {name} was shown {line.seq} after {position} of {conversation}"
                continue
            between = range(line.seq if position is None else position + 1, line.seq)
            if missing := [seq for seq in between if seq not in answered]:
                without = _short(missing)
                yield f"hole: {name} was shown {line.seq} without {without} of {conversation}"
            position = line.seq
        elif line.op == "end" and stored:
            last = max(line.seq or 0 for line in stored)
            rest = range((position or 0) + 1, last + 1)
            if missing := [seq for seq in rest if seq not in answered]:
                yield f"hole: {name} ended without {_short(missing)} of {conversation}"


def _receipts(history: Sequence[Line]) -> Iterator[str]:
    """Watermarks only grow for each who is told of them, and never pass the last message."""
    highest: dict[tuple[str, str, str | None], int] = {}
    last: defaultdict[str, int] = defaultdict(int)
    for line in history:
        if line.op == "stored":
            last[line.conversation] = max(last[line.conversation], line.seq or 0)
    for line in history:
        if line.op != "receipt" or line.seq is None:
            continue
        mark = (line.client, line.conversation, line.note)
        if line.seq < highest.get(mark, 0):
            yield f"backward: {line.note} went from {highest[mark]} to {line.seq} for {line.client}"
        if line.conversation in last and line.seq > last[line.conversation]:
            yield f"backward: {line.note} is {line.seq}, past the end {last[line.conversation]}"
        highest[mark] = max(line.seq, highest.get(mark, 0))


def _canaries(history: Sequence[Line]) -> Iterator[str]:
    """Only the two participants get anything of a conversation."""
    owners = {canary(line.conversation): line.conversation for line in history}
    texts: dict[str | None, str] = {
        line.hash: line.conversation for line in history if line.op == "send"
    }
    for line in history:
        if line.op == "hear":
            if line.who not in owners.get(line.note or "", "").split("|"):
                yield f"foreign: {line.client} heard {line.note}, of {owners.get(line.note or '')}"
        elif line.op == "receive":
            of = texts.get(line.hash)
            if of is None:
                yield f"phantom: {line.client} was shown {line.client_id}, which nobody sent"
            elif line.who not in of.split("|") or line.who not in line.conversation.split("|"):
                yield f"foreign: {line.client} was shown {line.client_id} of {of}"


def _resets(history: Iterable[Line]) -> Iterator[str]:
    """A reset is honest over 1,000 missing messages, ahead of the server, or after a restore."""
    for line in history:
        if line.op == "reset" and line.note != "epoch":
            position, last = line.seq or 0, line.last or 0
            if position <= last and last - position <= REPLAYED:
                missing = last - position
                yield f"reset: {line.client} had to load {line.conversation} again for {missing}"


# --- Words --------------------------------------------------------------------------------------


def _message(line: Line) -> Message:
    return line.sender, line.client_id


def _short(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return f"[{shown}, … {len(numbers)}]" if len(numbers) > 12 else f"[{shown}]"
