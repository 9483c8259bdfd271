"""A seller's settings: the shop's look and the languages, and the doors to what pages wear."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from tornado import httputil, web

from handlers.assets import VERSIONED_SECONDS, PublicHandler
from handlers.base import FORM_FIELDS, STATUS, Parts
from handlers.headers import GUARDS
from handlers.look import declarations, dressed, sheet, sheet_version
from handlers.pages import SellerPage
from handlers.rows import person
from handlers.time_limit import within_limit
from handlers.views import SettingsView
from models.accent import checked_accent, palette
from models.errors import BadRequest, ChatError, Invalid, TooLarge, Unavailable
from models.looks import Looks
from models.preferences import CHECKS, Preferences

FORM: Final = httputil.ParseBodyConfig(
    multipart=httputil.ParseMultipartConfig(max_parts=FORM_FIELDS)
)
PREVIEW_SECONDS: Final = 600  # a colour's shades are the same each time, until a newer server's


class SettingsPage(SellerPage):
    """``/inbox/settings``: the shop's own look and languages, with a preview."""

    def get(self) -> None:
        self._show(self.chosen, is_saved="saved" in self.request.query_arguments)

    async def post(self) -> None:
        typed, file = self._posted()
        chosen = self.chosen
        if "reset" in typed:
            await self._save(chosen.with_default_look())
            return
        problems = {}
        for name in CHECKS.keys() & typed.keys():
            try:
                chosen = chosen.changed(name, typed[name])
            except Invalid as error:
                problems[name] = self.why(error)
        wanted = replace(chosen, logo="") if "remove_logo" in typed else chosen
        try:
            if not problems:
                await self._save(wanted, file)
                return
        except Invalid as error:
            problems["logo"] = self.why(error)
        self._show(chosen, typed, problems)

    async def _save(self, chosen: Preferences, logo: bytes | None = None) -> None:
        await within_limit(self.shop.preferences.save(self.me, chosen, logo))
        self.redirect(self.language.link("/inbox/settings", saved=1), status=HTTPStatus.SEE_OTHER)

    def _show(
        self,
        chosen: Preferences,
        typed: Mapping[str, str] | None = None,
        problems: Mapping[str, str] | None = None,
        *,
        is_saved: bool = False,
    ) -> None:
        """The form, with what is stored or with what was typed and what is wrong with it."""
        fields = {name: str(getattr(chosen, name)) for name in CHECKS}
        fields |= {name: text for name, text in (typed or {}).items() if name in CHECKS}
        shown = dressed(person(self.me.user, self.language, "online"), chosen)
        view = SettingsView(shown, chosen, fields, problems or {}, palette(chosen.accent), is_saved)
        self.page("settings.html", view, status=STATUS["invalid"] if problems else 200)

    def _posted(self) -> tuple[dict[str, str], bytes | None]:
        """The form's fields, and the logo's file if one was chosen.

        Raises ``UnsupportedMediaType``, ``BadRequest`` and ``TooLarge``.
        """
        if self.content_type != "multipart/form-data":
            return self.form(), None
        kind = self.request.headers["Content-Type"]
        texts: dict[str, list[bytes]] = {}
        files: dict[str, list[httputil.HTTPFile]] = {}
        try:
            httputil.parse_body_arguments(kind, self.body, texts, files, config=FORM)
            fields = {name: values[-1].decode() for name, values in texts.items()}
        except (httputil.HTTPInputError, ValueError):
            raise BadRequest("This is not a form.") from None
        file = files["logo"][-1].body if "logo" in files else None
        return fields, file or None

    def finish_error(self, error: ChatError) -> None:
        if isinstance(error, TooLarge):  # only a picture can make this form so long
            error = TooLarge(error.message, field="logo")
        super().finish_error(error)


class PreviewSheet(SellerPage):
    """``/inbox/settings/preview.css``: the shades of any colour, for the preview's samples.

    No page: who may not see it is told so, as a login would lead on to a style sheet.
    """

    def get(self) -> None:
        accent = self.request.query_arguments.get("accent", [b""])[-1].decode("utf-8", "replace")
        shades = palette(checked_accent(accent))
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.set_header("Cache-Control", f"private, max-age={PREVIEW_SECONDS}")
        for scheme, made in (("light", shades.light), ("dark", shades.dark)):
            self.write(f'.sample[data-scheme="{scheme}"]{{{declarations(made)}}}\n')

    def content_security_policy(self) -> str:
        return GUARDS["Content-Security-Policy"]

    def finish_error(self, error: ChatError) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(f"{error.message}\n")


class _Look(PublicHandler):
    """What everybody may see of a shop's look."""

    @property
    def looks(self) -> Looks:
        parts: Parts = self.application.settings["parts"]
        return parts.shop.preferences

    def send(self, content: str | bytes, kind: str, version: str) -> None:
        """Answers with it: for a year where the address names this very version, or else to be
        asked for again."""
        is_current = self.request.query_arguments.get("v", [b""])[-1] == version.encode()
        kept = f"public, max-age={VERSIONED_SECONDS}, immutable"
        self.set_header("Cache-Control", kept if is_current else "no-cache")
        self.set_header("Content-Type", kind)
        self.set_header("Etag", f'"{version}"')
        if self.check_etag_header():
            self.set_status(304)
        else:
            self.write(content)

    async def head(self, *ids: str) -> None:
        await self.get(*ids)

    async def get(self, *ids: str) -> None:
        raise NotImplementedError


class LookSheet(_Look):
    """``/look/SELLER_ID.css``: a shop's colours, as the style sheet that its pages add."""

    async def get(self, *ids: str) -> None:
        chosen = self.looks.of(ids[0])
        self.send(sheet(chosen.accent), "text/css; charset=utf-8", sheet_version(chosen.accent))


class LookLogo(_Look):
    """``/look/SELLER_ID/logo``: a shop's logo, square and small."""

    async def get(self, *ids: str) -> None:
        try:
            logo = await within_limit(self.looks.logo(ids[0]))
        except Unavailable:
            raise web.HTTPError(HTTPStatus.SERVICE_UNAVAILABLE) from None
        if logo is None:
            raise web.HTTPError(HTTPStatus.NOT_FOUND)
        self.send(logo.content, logo.type, logo.version)
