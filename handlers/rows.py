"""What pages show, made from the wire objects: people, messages in their groups and days, the list.

Plain values in, plain values out: no Tornado, no database. Times are written in UTC here, in the
page's language, so that a page reads without script; ``static/js/clock.js`` puts them into the
reader's own zone. The rules
for groups, days and people stand once more in ``static/js/timeline.js`` and ``people.js``, which
lay out what comes later; ``tests/rows.json`` and ``tests/people.json`` hold both to the same cases.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from handlers.languages import Language
from handlers.views import ConversationRow, Group, MessageRow, Moment, Person, Thread
from models.conversation import GUEST_PREFIX, Participant
from models.events import (
    Conversation,
    ConversationPage,
    ConversationParticipant,
    Message,
    PresenceStatus,
    Seller,
    User,
)

GROUP_SECONDS: Final = 300  # one sender's messages within this time stand together
EMOJI_ALONE: Final = 6  # so many emoji without a word are shown large
GUEST_LETTERS: Final = 4
TONES: Final = 6  # the quiet colour pairs of avatars; 0 is a guest's grey

# A pictogram with what modifies or joins it; close enough to the browser's \p{RGI_Emoji}, which
# has the last word once its script runs.
_PICTOGRAM: Final = (
    "[\u231a-\u23fa\u25aa-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?"
)
_EMOJI: Final = f"(?:[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTOGRAM}(?:\u200d{_PICTOGRAM})*)"
_EMOJI_ALONE: Final = re.compile(rf"(?:{_EMOJI}\s*){{1,{EMOJI_ALONE}}}")


# --- People -------------------------------------------------------------------------------------


def person(who: User | Seller, language: Language, status: PresenceStatus | None = None) -> Person:
    """A person from what the wire says of them; ``status`` for those whose struct has none."""
    participant = Participant(who.type, who.id)
    if status is None:
        status = who.status if isinstance(who, Seller) else "offline"
    name = _shown_name(participant, who.name, language)
    tone = _tone(participant)
    initials = _initials(name) if tone else name[:1]
    return Person(who.id, who.type, name, participant.verified, status, initials, tone)


def peer_in(conversation: Conversation, me: User, language: Language) -> Person:
    """The other side of a conversation."""
    other = _other(conversation, me)
    user = User(other.id, other.type, other.name, other.verified)
    return person(user, language, other.status)


def _other(conversation: Conversation, me: User) -> ConversationParticipant:
    first, second = conversation.participants
    return second if (first.type, first.id) == (me.type, me.id) else first


def _shown_name(participant: Participant, name: str, language: Language) -> str:
    """Guests are told apart by the end of their ids; they have no names."""
    if participant.verified:
        return name or participant.id
    return language.gettext("Guest %(letters)s", letters=participant.id[-GUEST_LETTERS:])


def _tone(participant: Participant) -> int:
    """0 for guests, else one of the pairs, for ever the same for one id."""
    if participant.id.startswith(GUEST_PREFIX):
        return 0
    return sum(map(ord, participant.id)) % TONES + 1


def _initials(name: str) -> str:
    words = name.split()
    letters = (words[0][0], words[-1][0]) if len(words) > 1 else (name[:1],)
    return "".join(letters).upper()


def thread(
    page: ConversationPage | None,
    me: User | None,
    peer: Person,
    action: str,
    *,
    language: Language,
    now: datetime,
    draft: str = "",
    problem: str = "",
) -> Thread:
    """What ``me`` has with ``peer``; ``page`` is None where that cannot be known, or is nothing."""
    conversation = page.conversation if page else None
    messages = page.messages if page else []
    last_seq = conversation.last_seq if conversation else 0
    read_seq = last_seq - (conversation.unread if conversation else 0)
    other = _other(conversation, me) if conversation and me else None
    return Thread(
        peer=peer,
        conversation_id=conversation.id if conversation else "",
        rows=message_rows(messages, me, read_seq=read_seq, language=language, now=now),
        has_more=page.has_more if page else False,
        has_newer=bool(messages) and messages[-1].seq < last_seq,
        last_seq=last_seq,
        read_seq=read_seq,
        action=action,
        client_id=str(uuid4()),
        draft=draft,
        problem=problem,
        first_seen=_seen(other.first_seen, language) if other else None,
        last_seen=_seen(other.last_seen, language) if other else None,
    )


# --- Messages -----------------------------------------------------------------------------------


def message_rows(
    messages: Sequence[Message],
    me: User | None,
    *,
    read_seq: int,
    language: Language,
    now: datetime,
) -> list[MessageRow]:
    """Rows of a stretch of one conversation, oldest first, in groups and days.

    ``read_seq`` is how far ``me`` has read: the "New" line stands before the first row after it
    that came from the other side.
    """
    rows: list[MessageRow] = []
    new_seq = _first_new(messages, me, read_seq)
    for index, message in enumerate(messages):
        before = messages[index - 1] if index else None
        after = messages[index + 1] if index + 1 < len(messages) else None
        joins_before = before is not None and message.seq != new_seq and _together(before, message)
        joins_after = after is not None and after.seq != new_seq and _together(message, after)
        at = _moment(message.created_at)
        starts_day = before is None or _moment(before.created_at).date() != at.date()
        mine = _is_from(message, me)
        rows.append(
            MessageRow(
                message=message,
                mine=mine,
                group=_group(joins_before, joins_after),
                shows_time=not joins_after
                or (mine and after is not None and after.status != message.status),
                day=language.day(at.date(), now.date()) if starts_day else None,
                begins_new=message.seq == new_seq,
                emoji_alone=is_emoji_alone(message.message),
                at=Moment(message.created_at, language.time(at), language.full(at)),
            )
        )
    return rows


def is_emoji_alone(text: str) -> bool:
    """Whether a text is one to six emoji and nothing else."""
    return _EMOJI_ALONE.fullmatch(text) is not None


def _is_from(message: Message, me: User | None) -> bool:
    return me is not None and (message.sender_type, message.sender_id) == (me.type, me.id)


def _first_new(messages: Sequence[Message], me: User | None, read_seq: int) -> int | None:
    """The first unread message of the other side, unless reading began before this stretch."""
    if not messages or read_seq + 1 < messages[0].seq:
        return None
    return next((m.seq for m in messages if m.seq > read_seq and not _is_from(m, me)), None)


def _together(one: Message, next_: Message) -> bool:
    if "system" in (one.message_type, next_.message_type):
        return False
    if (one.sender_type, one.sender_id) != (next_.sender_type, next_.sender_id):
        return False
    first, second = _moment(one.created_at), _moment(next_.created_at)
    apart = (second - first).total_seconds()
    return apart <= GROUP_SECONDS and first.date() == second.date()


def _group(joins_before: bool, joins_after: bool) -> Group:
    if joins_before:
        return "middle" if joins_after else "last"
    return "first" if joins_after else "only"


# --- The list -----------------------------------------------------------------------------------


def conversation_row(
    conversation: Conversation,
    me: User,
    *,
    open_id: str | None,
    language: Language,
    now: datetime,
) -> ConversationRow:
    """A list's row, as ``me`` sees it."""
    last = conversation.last_message
    at = _moment(conversation.updated_at)
    return ConversationRow(
        id=conversation.id,
        peer=peer_in(conversation, me, language),
        preview=last.message if last else "",
        preview_status=last.status if last and _is_from(last, me) else None,
        at=Moment(conversation.updated_at, language.in_list(at, now), language.full(at)),
        last_seq=conversation.last_seq,
        unread=conversation.unread,
        is_open=conversation.id == open_id,
        is_erased=bool(last and last.erased_at),
    )


# --- Times --------------------------------------------------------------------------------------


def _moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp).astimezone(UTC)


def _seen(timestamp: str | None, language: Language) -> Moment | None:
    """When somebody was seen, to the day."""
    if timestamp is None:
        return None
    at = _moment(timestamp)
    return Moment(timestamp, language.date(at), language.full(at))
