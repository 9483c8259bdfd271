"""What each page shows: one frozen dataclass a template. ``rows.py`` makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from models.accent import Palette
from models.events import Availability, Message, MessageStatus, ParticipantType, PresenceStatus
from models.preferences import Preferences

Group = Literal["only", "first", "middle", "last"]
Filter = Literal["all", "unread"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a name, an avatar and a presence. ``logo`` is the address of a shop's."""

    id: str
    type: ParticipantType
    name: str
    verified: bool
    status: PresenceStatus
    initials: str
    tone: int
    logo: str = ""

    @property
    def sealed(self) -> bool:
        """Whether the seal stands beside the name: only for buyers whom the shop vouched for."""
        return self.verified and self.type == "Buyer"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as the wire says it, as short as its place wants it, and in full."""

    iso: str
    short: str
    full: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message as it stands in a conversation."""

    message: Message
    mine: bool
    group: Group
    shows_time: bool
    day: str | None
    begins_new: bool
    emoji_alone: bool
    at: Moment


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One conversation as it stands in the list; ``is_erased``: its last word is gone."""

    id: str
    peer: Person
    preview: str
    preview_status: MessageStatus | None
    at: Moment
    last_seq: int
    unread: int
    is_open: bool
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """An open conversation: its other side, the newest messages, and the form below them.

    ``action`` is where the form posts and where other messages are found; ``client_id`` goes with
    the form, so that a reload of its post stores nothing twice. ``draft`` and ``problem`` are what
    was typed and why it was not taken. ``first_seen`` and ``last_seen`` are the peer's.
    """

    peer: Person
    conversation_id: str
    rows: Sequence[MessageRow]
    has_more: bool
    has_newer: bool
    last_seq: int
    read_seq: int
    action: str
    client_id: str
    draft: str = ""
    problem: str = ""
    first_seen: Moment | None = None
    last_seen: Moment | None = None

    @property
    def blank(self) -> MessageRow:
        """A row without a message: what the browser clones for those it makes itself."""
        return _BLANK_ROW


@dataclass(frozen=True, slots=True)
class LoginView:
    """``login.html``. ``next`` is a path of this site."""

    seller_id: str = ""
    problem: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class InboxView:
    """``inbox.html`` and ``inbox-widget.html``. Where nothing is open the thread is a blank one,
    which the script fills. ``filter`` and ``name`` are what the list was asked for, ``snippet`` is
    the line for the shop's own pages."""

    self: Person
    rows: Sequence[ConversationRow]
    next: str | None
    filter: Filter
    name: str
    unread: int
    is_open: bool
    thread: Thread
    snippet: str

    @property
    def empty_because(self) -> Literal["name", "unread", "all"]:
        """What an empty list is empty of."""
        return "name" if self.name else self.filter

    @property
    def is_unused(self) -> bool:
        """Whether nobody has written yet."""
        return not self.rows and self.empty_because == "all"

    @property
    def blank_row(self) -> ConversationRow:
        """What the browser clones for conversations that begin while it looks."""
        return ConversationRow("", nobody(), "", "sent", Moment("", "", ""), 0, 0, False)


@dataclass(frozen=True, slots=True)
class ChatView:
    """``chat.html``: a buyer's conversation with one seller. ``visitor`` is null before the first
    message of somebody without a session."""

    seller: Person
    visitor: Person | None
    availability: Availability
    thread: Thread
    greeting: str = ""


@dataclass(frozen=True, slots=True)
class WidgetView:
    """``widget.html``: the frame, the same for everybody. Its script finds the conversation."""

    seller: Person
    availability: Availability
    parent_origins: Sequence[str]
    thread: Thread
    greeting: str = ""


@dataclass(frozen=True, slots=True)
class SettingsView:
    """``settings.html``. ``chosen`` is what holds, ``fields`` what stands in the form, and
    ``problems`` what is wrong with it, by the field's name."""

    self: Person
    chosen: Preferences
    fields: Mapping[str, str]
    problems: Mapping[str, str]
    palette: Palette
    is_saved: bool

    @property
    def is_mended(self) -> bool:
        """Whether the accent as given could not be read everywhere."""
        return {self.palette.light.fill, self.palette.dark.fill} != {self.chosen.accent}


@dataclass(frozen=True, slots=True)
class DemoView:
    """``demo.html``: a product page of a shop that uses Shopbell."""

    seller_id: str


# --- What a script fills ------------------------------------------------------------------------


def nobody() -> Person:
    """Whom the browser replaces by somebody."""
    return Person("", "Buyer", "", False, "offline", "", 0)


def blank_thread() -> Thread:
    """No conversation: the page's parts are there, and its script fills them."""
    return Thread(
        peer=nobody(),
        conversation_id="",
        rows=(),
        has_more=False,
        has_newer=False,
        last_seq=0,
        read_seq=0,
        action="",
        client_id="",
    )


_BLANK_ROW: Final = MessageRow(
    message=Message(
        id="",
        conversation_id="",
        seq=0,
        client_id="",
        sender_id="",
        sender_type="Buyer",
        sender_name=None,
        recipient_id="",
        recipient_type="Seller",
        subject=None,
        message="",
        message_html="",
        message_type="general",
        status="sent",
        created_at="",
        delivered_at=None,
        read_at=None,
    ),
    mine=True,
    group="only",
    shows_time=True,
    day=None,
    begins_new=False,
    emoji_alone=False,
    at=Moment("", "", ""),
)
