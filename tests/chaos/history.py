"""What every client did and saw, one operation after the other: what the checker judges.

As a file it is JSON lines, so a failure can be kept, read and judged again.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Op = Literal["send", "start", "receive", "reset", "receipt", "hear", "stored", "end"]
State = Literal["invoke", "ok", "fail", "unknown"]


@dataclass(frozen=True)
class Line:
    """One operation of one client: a tab or a device of the participant ``who``.

    ``conversation`` is its two participants' keys, which no crash and no restore changes, and
    ``hash`` that of the text. What the lines say:

    - ``send`` ``invoke``: handed in under its ``client_id``, for the first time or again; ``ok``:
      acknowledged, stored at ``seq``; ``fail``: refused for good; ``unknown``: nobody answered.
    - ``start``: the client shows all up to ``seq`` from elsewhere, and begins behind it.
    - ``receive``: called back, or shown, as the next of its conversation.
    - ``reset``: told to load the conversation again. ``seq`` is where the client stood, ``last``
      how many messages there were for certain, ``note`` says ``epoch`` if that was another one.
    - ``receipt``: told that the watermark ``note`` is at ``seq``.
    - ``hear``: ``note`` is a canary that came by, in whatever frame.
    - ``stored``: part of the whole conversation as it is read when all is over, in that order.
    - ``end``: the client was healed and had time: it shows all there is.
    """

    time: float
    client: str
    who: str
    op: Op
    state: State
    conversation: str
    client_id: str | None = None
    seq: int | None = None
    hash: str | None = None
    sender: str | None = None
    last: int | None = None
    note: str | None = None


class History(list[Line]):
    """The lines of all clients, in the order in which they happened."""

    acknowledged = 0  # messages, repeats too

    def add(
        self, client: str, who: str, op: Op, conversation: str, state: State = "ok", **more: Any
    ) -> None:
        self.append(Line(time.monotonic(), client, who, op, state, conversation, **more))
        self.acknowledged += op == "send" and state == "ok"

    def add_message(self, client: str, who: str, op: Op, message: dict[str, Any]) -> None:
        """A message as the server tells it, received or read at the end."""
        sender, conversation = sender_of(message), conversation_of(message)
        told = {"client_id": message["client_id"], "seq": message["seq"], "sender": sender}
        self.add(client, who, op, conversation, **told, hash=hash_of(message["message"]))

    def write(self, path: Path) -> None:
        with path.open("w") as file:
            file.writelines(json.dumps(asdict(line)) + "\n" for line in self)

    @classmethod
    def read(cls, path: Path) -> "History":
        with path.open() as file:
            return cls(Line(**json.loads(line)) for line in file)


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def key(type_: str, id_: str) -> str:
    """A participant, as the lines name them."""
    return f"{type_}:{id_}"


def pair(one: str, other: str) -> str:
    """The conversation of two participants."""
    return "|".join(sorted((one, other)))


def sender_of(message: dict[str, Any]) -> str:
    return key(message["sender_type"], message["sender_id"])


def conversation_of(message: dict[str, Any]) -> str:
    recipient = key(message["recipient_type"], message["recipient_id"])
    return pair(sender_of(message), recipient)


def canary(conversation: str) -> str:
    """A word for the texts of one conversation, which nobody outside of it may ever hear."""
    return f"canary-{hash_of(conversation)}"


def canaries(frame: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"canary-[0-9a-f]{16}", frame))


def told(faults: Iterable[str], seed: int) -> str:
    """What a failed test says: the faults, and how to have them again."""
    return "\n".join([f"SHOPBELL_TEST_SEED={seed}", *faults])
