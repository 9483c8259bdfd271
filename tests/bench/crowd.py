"""More than anybody would type: long conversations, and many, written straight into the store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from models.conversation import Conversation, Identity, Place, StoredMessage, pair_of
from models.store import Store, new_id

BATCH: Final = 100  # documents a write; the embedded engine takes a millisecond or two for each
TEXTS: Final = (
    "Hi! Is the speckled mug safe in the dishwasher?",
    "Yes, it is. Fired at 1,240 °C, so it doesn’t mind at all.",
    "Lovely.",
    "The parcel came on Friday, and everything in it was whole. Thank you for wrapping each one!",
    "On the photograph of\nhttps://shop.example/mugs/speckled\nthere is no ruler. How high is one?",
    "Nine and a half.",
)


def conversation(
    one: Identity, other: Identity, *, length: int, ended_at: datetime, unread: int = 0
) -> tuple[Conversation, list[StoredMessage]]:
    """What two said in turn, a minute apart; of the last ones ``other`` has read all but some."""
    id_, keys = new_id(), [one.key, other.key]
    messages = [
        StoredMessage(
            id=new_id(),
            conversation_id=id_,
            seq=seq,
            sender=keys[(length - seq) % 2],  # the last word is the first one's
            recipient=keys[(length - seq + 1) % 2],
            client_id=f"{id_}-{seq}",
            kind="general",
            subject=None,
            text=TEXTS[seq % len(TEXTS)],
            at=ended_at - timedelta(minutes=length - seq),
        )
        for seq in range(1, length + 1)
    ]
    places = {
        who.key: Place(who.key, who.name, delivered_seq=read, read_seq=read)
        for who, read in [(one, length), (other, length - unread)]
    }
    first, second = (places[key] for key in pair_of(*keys).split("|"))
    told = Conversation(id_, (first, second), length, messages[-1], messages[-1].at)
    return told, messages


async def put(store: Store, talks: Sequence[tuple[Conversation, list[StoredMessage]]]) -> None:
    """Stores conversations with all that was said in them."""
    conversations = [told for told, _ in talks]
    messages = [message for _, said in talks for message in said]
    for start in range(0, len(messages), BATCH):
        await store.insert_messages(messages[start : start + BATCH])
    for start in range(0, len(conversations), BATCH):
        await store.insert_conversations(conversations[start : start + BATCH])


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
