"""The pages for people: the chat, the seller's inbox, the demo shop.

Each reads the newest messages on the server and posts plain forms, so that it works before, and
without, any script. What a page shows is decided in ``views.py`` and ``rows.py``.
"""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from handlers.base import STATUS
from handlers.look import dressed
from handlers.page_handler import PageHandler
from handlers.rows import conversation_row, peer_in, person, thread
from handlers.time_limit import within_limit
from handlers.views import ChatView, DemoView, InboxView, Thread, blank_thread
from models import codec, demo, events
from models.conversation import Identity, Participant
from models.errors import (
    ChatError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
)
from models.preferences import Preferences

# What is wrong with one message: the page is shown again with the text still in its field.
REFUSALS: Final = (Conflict, Forbidden, Invalid, NotFound, RateLimited, TooLarge)

LIST_LENGTH: Final = 50


class ShopPage(PageHandler):
    """``/``: the demo shop, or the way to the inbox."""

    public = True
    same_for_everybody = True

    def get(self) -> None:
        if self.shop.settings.demo:
            self.page("demo.html", DemoView(demo.SELLER.id))
        else:
            self.redirect(self.language.link("/inbox"), status=303)


class WritingPage(PageHandler):
    """A page with a conversation and the form below it."""

    async def send(self, who: Identity, recipient: Participant, form: dict[str, str]) -> None:
        """Sends what a form holds. Raises what ``Chat.send`` raises."""
        fields = {"message": form.get("message", ""), "client_id": form.get("client_id") or None}
        command = codec.convert(
            {"recipient_id": recipient.id, "recipient_type": recipient.type, **fields},
            events.SendMessage,
        )
        await within_limit(self.shop.chat.send(who, command))

    def before(self) -> int | None:
        """Which older messages are asked for. Raises ``Invalid``."""
        return self.query(events.ConversationQuery).before


class ChatPage(WritingPage):
    """``/chat/SELLER_ID``: a buyer's conversation with one seller."""

    public = True

    async def get(self, seller_id: str) -> None:
        self._keep_guest()
        await self._show(seller_id)

    async def post(self, seller_id: str) -> None:
        form = self.form()
        seller = await within_limit(self.shop.history.seller(seller_id))
        who = self.who or self._guest()
        try:
            await self.send(who, Participant("Seller", seller.id), form)
        except REFUSALS as error:
            await self._show(seller_id, form.get("message", ""), error)
        else:
            self.redirect(self.language.link(f"/chat/{quote(seller_id)}"), status=303)

    def _keep_guest(self) -> None:
        """Gives a guest who comes again and again a new token in time."""
        if self.who is not None and self.has_cookie_session:
            token = self.shop.tokens.renewed(self.who)
            if token is not None:
                self.give_session(token, self.authenticated(token))

    def _guest(self) -> Identity:
        """A new guest, kept in the cookie. Raises ``RateLimited``.

        Raises ``Forbidden`` if a browser says that a foreign page asks: that would put its guest's
        cookie in the place of one that SameSite held back.
        """
        if self.is_from_foreign_page():
            raise Forbidden("This has to come from a page of the shop's chat.")
        token, who = self.shop.accounts.guest(self.address)
        self.give_session(token, who)
        self.who = who
        return who

    async def _show(self, seller_id: str, draft: str = "", error: ChatError | None = None) -> None:
        history = self.shop.history
        chosen = self.wear(seller_id)
        self.speak(chosen.language)
        seller = dressed(
            person(await within_limit(history.seller(seller_id)), self.language), chosen
        )
        availability = await within_limit(self.shop.availability.of(seller_id))
        page, me = None, None
        if self.who is not None:
            me = self.who.user
            participant = Participant("Seller", seller_id)
            page = await within_limit(
                history.conversation(self.who, participant, before=self.before())
            )
        shown = thread(
            page,
            me,
            seller,
            f"/chat/{quote(seller_id)}",
            language=self.language,
            now=_now(),
            draft=draft,
            problem=self.why(error) if error else "",
        )
        visitor = person(me, self.language, "online") if me else None
        view = ChatView(seller, visitor, availability, shown, chosen.greeting)
        self.page("chat.html", view, status=STATUS[error.code] if error else 200)


class SellerPage(WritingPage):
    """The panel's pages, for sellers only. ``chosen`` is what the one who looks prefers."""

    chosen: Preferences

    def prepare(self) -> None:
        super().prepare()
        if self.me.participant.type != "Seller":
            raise Unauthorized("Log in as a seller to see the inbox.")
        self.chosen = self.wear(self.me.participant.id)
        self.speak(self.chosen.panel_language)

    async def inbox(self, shown: Thread | None = None) -> InboxView:
        """The list, with one conversation open or none."""
        query = self.query(events.ConversationsQuery)
        # Beside an open conversation this part of the address speaks of its messages.
        before = None if shown else query.before
        me, history, now = self.me.user, self.shop.history, _now()
        listed = await within_limit(
            history.conversations(
                self.me, limit=LIST_LENGTH, before=before, filter=query.filter, name=query.name
            )
        )
        unread = await within_limit(history.unread_count(self.me))
        open_id = shown.conversation_id if shown else None
        return InboxView(
            self=dressed(person(me, self.language, "offline"), self.chosen),
            rows=[
                conversation_row(c, me, open_id=open_id, language=self.language, now=now)
                for c in listed.conversations
            ],
            next=listed.next,
            filter=query.filter,
            name=query.name.strip(),
            unread=unread.count,
            is_open=shown is not None,
            thread=shown or blank_thread(),
            snippet=f'<script async src="{self.shop.settings.origin}/widget.js"'
            f' data-seller="{me.id}"></script>',
        )


class InboxPage(SellerPage):
    """``/inbox``: who has written."""

    async def get(self) -> None:
        self.page("inbox.html", await self.inbox())


class InboxWidgetPage(SellerPage):
    """``/inbox/widget``: the same in a small window."""

    async def get(self) -> None:
        self.page("inbox-widget.html", await self.inbox())


class ConversationPage(SellerPage):
    """``/inbox/CONVERSATION_ID``: one conversation beside the list."""

    async def get(self, conversation_id: str) -> None:
        await self._show(conversation_id)

    async def post(self, conversation_id: str) -> None:
        form = self.form()
        conversation = await within_limit(
            self.shop.history.conversation_by_id(self.me, conversation_id, limit=1)
        )
        if conversation.conversation is None:
            raise NotFound("There is no such conversation.")
        peer = peer_in(conversation.conversation, self.me.user, self.language)
        try:
            await self.send(self.me, Participant(peer.type, peer.id), form)
        except REFUSALS as error:
            await self._show(conversation_id, form.get("message", ""), error)
        else:
            self.redirect(self.language.link(f"/inbox/{conversation_id}"), status=303)

    async def _show(
        self, conversation_id: str, draft: str = "", error: ChatError | None = None
    ) -> None:
        page = await within_limit(
            self.shop.history.conversation_by_id(self.me, conversation_id, before=self.before())
        )
        if page.conversation is None:
            raise NotFound("There is no such conversation.")
        me = self.me.user
        shown = thread(
            page,
            me,
            peer_in(page.conversation, me, self.language),
            f"/inbox/{conversation_id}",
            language=self.language,
            now=_now(),
            draft=draft,
            problem=self.why(error) if error else "",
        )
        view = await self.inbox(shown)
        self.page("inbox.html", view, status=STATUS[error.code] if error else 200)


def _now() -> datetime:
    return datetime.now(UTC)
