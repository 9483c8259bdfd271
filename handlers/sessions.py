"""How people come in and go: guests, buyers whom the shop vouches for, sellers with a password."""

import re
from typing import Final

from handlers.base import SAFE_METHODS, STATUS
from handlers.json_handler import JsonHandler, documented
from handlers.page_handler import PageHandler
from handlers.time_limit import within_limit
from handlers.views import LoginView
from models import events
from models.conversation import Identity
from models.errors import ChatError, Forbidden, RateLimited, Unauthorized, Unavailable
from models.events import PARTICIPANT_ID_LENGTH

HOME: Final = "/inbox"
PATH_LENGTH: Final = 1_000

# A path that leads out in no browser: they read "\" as "/", drop tabs and line breaks, and take
# what follows "//" as another server.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def own_path(text: str) -> str:
    """The path of this site that ``text`` is, else where sellers go anyway."""
    return text if len(text) <= PATH_LENGTH and _OWN_PATH.fullmatch(text) else HOME


class _SessionApi(JsonHandler):
    public = True

    def begin(self, token: str, who: Identity, *, status: int = 200) -> None:
        """Answers with a new session, which the cookie gets as well.

        A seller who tries their own shop's widget stays logged in.
        """
        is_seller = self.who is not None and self.who.participant.type == "Seller"
        if not (self.has_cookie_session and is_seller):
            self.give_session(token, who)
        self.answer(events.SessionAnswer(token, who.user), status=status)


class GuestApi(_SessionApi):
    """``POST /api/session/guest``"""

    @documented(
        "A session for an anonymous buyer",
        body=events.GuestRequest,
        answer=events.SessionAnswer,
        status=201,
    )
    async def post(self) -> None:
        # Whether there is such a seller shows at the first message: so far nothing is looked up.
        self.decode(events.GuestRequest)
        token, who = self.shop.accounts.guest(self.address)
        self.begin(token, who, status=201)


class IdentifyApi(_SessionApi):
    """``POST /api/session/identify``"""

    @documented(
        "A session for a buyer whom the shop vouches for",
        body=events.IdentifyRequest,
        answer=events.SessionAnswer,
    )
    async def post(self) -> None:
        asked = self.decode(events.IdentifyRequest)
        work = self.shop.guests.identify(asked.identity, asked.guest_token)
        try:
            token, who = await within_limit(work)
        except Unauthorized:
            self.shop.metrics.auth_failed("token")
            raise
        self.begin(token, who)


class _OwnForm(PageHandler):
    """A form that no foreign page may post, cookie or not: it would log somebody in as somebody
    else, who then reads what they write, or out."""

    public = True

    def prepare(self) -> None:
        super().prepare()
        if self.request.method not in SAFE_METHODS and self.is_from_foreign_page():
            raise Forbidden("This has to come from a page of the shop's chat.")


class LoginPage(_OwnForm):
    """``/login``: sellers, with ID and password."""

    same_for_everybody = True

    def get(self) -> None:
        wanted = self.request.query_arguments.get("next", [b""])[-1].decode("utf-8", "replace")
        if self.who is not None and self.who.participant.type == "Seller":
            self.redirect(own_path(wanted), status=303)
        else:
            self.page("login.html", LoginView(next=own_path(wanted)))

    async def post(self) -> None:
        form = self.form()
        seller_id, wanted = form.get("id", "").strip(), own_path(form.get("next", ""))
        try:
            login = self.shop.accounts.log_in(seller_id, form.get("password", ""), self.address)
            token = await within_limit(login)
        except (RateLimited, Unauthorized, Unavailable) as error:
            self._refuse(error, seller_id, wanted)
        else:
            self.give_session(token, self.authenticated(token))
            self.redirect(wanted, status=303)

    def _refuse(self, error: ChatError, seller_id: str, wanted: str) -> None:
        """The form again, with what is wrong."""
        if isinstance(error, Unauthorized):
            self.shop.metrics.auth_failed("login")
        self.tell_retry(error)
        view = LoginView(seller_id[:PARTICIPANT_ID_LENGTH], self.why(error), wanted)
        self.page("login.html", view, status=STATUS[error.code])

    def why(self, error: ChatError) -> str:
        if isinstance(error, Unauthorized):
            return self.language.gettext("ID or password is wrong.")
        return super().why(error)


class LogoutDoor(_OwnForm):
    """``POST /logout``: ends this session everywhere, not in this browser alone."""

    async def post(self) -> None:
        if self.who is not None:
            await within_limit(self.shop.accounts.log_out(self.who))
        self.take_session()
        self.redirect(self.language.link("/login"), status=303)
