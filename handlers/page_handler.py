"""What the doors that show HTML share: language, look, policy, and errors as pages."""

from dataclasses import dataclass
from typing import ClassVar, Final

from handlers import refusals
from handlers.base import SAFE_METHODS, BaseHandler
from handlers.compression import Packed, PackedHandler
from handlers.languages import Language, choose
from handlers.look import sheet_address
from handlers.templates import templates_in
from models.errors import ChatError, Unauthorized
from models.preferences import Preferences

HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What error.html shows."""

    title: str
    message: str


class PageHandler(PackedHandler, BaseHandler):
    """Doors that show HTML. A template gets one dataclass as ``page``.

    Only a page that says the ``same_for_everybody`` is compressed, see ``compression.py``.
    """

    same_for_everybody: ClassVar[bool] = False
    language: Language
    look = ""  # the address of a shop's own colours

    def initialize(self) -> None:
        super().initialize()
        self.speak(None)

    def speak(self, preferred: str | None) -> None:
        """Chooses the page's language; a door that learns what somebody prefers does it again."""
        asked = self.request.query_arguments.get("language", [b""])[-1].decode("ascii", "replace")
        self.language = choose(asked, preferred, self.request.headers.get("Accept-Language"))

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Type", HTML)
        self.set_header("Content-Security-Policy", self.content_security_policy())

    def content_security_policy(self) -> str:
        settings = self.shop.settings
        socket = settings.origin.replace("http", "ws", 1)
        return "; ".join(
            [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                f"connect-src 'self' {socket}",
                "frame-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                f"frame-ancestors {self.frame_ancestors()}",
            ]
        )

    def frame_ancestors(self) -> str:
        """Who may put this page into a frame: nobody, but for the widget."""
        return "'none'"

    def wear(self, seller_id: str) -> Preferences:
        """Puts the page into a shop's own colours; returns what else that shop prefers."""
        chosen = self.shop.preferences.of(seller_id)
        self.look = sheet_address(seller_id, chosen)
        return chosen

    def page(self, template: str, page: object, *, status: int = 200) -> None:
        """Renders a template; everything it needs has been awaited before."""
        self.set_status(status)
        html = (
            templates_in(self.language)
            .get_template(template)
            .render(
                page=page,
                me=self.who,
                look=self.look,
                static_url=self.static_url,
                public_url=self.shop.settings.origin,
            )
        )
        if self.same_for_everybody and status == 200:
            self.send_packed(Packed.of(html, HTML))
        else:
            self.write(html)

    def finish_error(self, error: ChatError) -> None:
        if isinstance(error, Unauthorized) and self.request.method in SAFE_METHODS:
            self.clear_header("WWW-Authenticate")
            wanted = self.language.link(self.request.path)
            self.redirect(self.language.link("/login", next=wanted), status=303)
            return
        told = ErrorPage(refusals.title(error, self.language), self.why(error))
        self.page("error.html", told, status=self.get_status())

    def why(self, error: ChatError) -> str:
        """What the page says of a refusal."""
        return refusals.reason(error, self.language)
