"""What pages are made of: the bundles that they ask for, and every file as it is written."""

from http import HTTPStatus
from typing import Any, Final

from tornado import web

from handlers.base import Parts, refuse_secrets
from handlers.bundles import bundle
from handlers.compression import PackedHandler
from handlers.headers import guard
from models.errors import BadRequest

# An address with a version never changes its content; a script module has none, because a module
# under two addresses would be two modules, so the browser asks each time and gets "not modified".
VERSIONED_SECONDS: Final = 365 * 24 * 60 * 60


class PublicHandler(PackedHandler):
    """A door that is the same for everybody and asks nobody who they are."""

    def prepare(self) -> None:
        try:
            refuse_secrets(self.request)
        except BadRequest:
            raise web.HTTPError(400) from None

    def set_default_headers(self) -> None:
        parts: Parts = self.application.settings["parts"]
        guard(self, secure=parts.shop.settings.secure)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET, HEAD")
        if status_code == HTTPStatus.NOT_FOUND:
            self.write("There is no such file.\n")
        elif status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.write("This request is not understood.\n")
        else:
            self.write("This cannot be answered now. Please try again in a moment.\n")


class Bundles(PublicHandler):
    """``/assets/DIGEST/NAME``: what a page is made of, kept by browsers under its digest.

    A page that an older server rendered asks for a digest that is no more. It gets today's file,
    which is not kept: a page with a newer script goes on, one without any does not.
    """

    def get(self, digest: str, name: str) -> None:
        try:
            packed = bundle(name)
        except KeyError:
            raise web.HTTPError(404) from None
        is_current = digest == packed.digest
        kept = f"public, max-age={VERSIONED_SECONDS}, immutable"
        self.set_header("Cache-Control", kept if is_current else "no-cache")
        self.send_packed(packed)

    def head(self, digest: str, name: str) -> None:
        self.get(digest, name)


class Assets(PublicHandler, web.StaticFileHandler):
    """``/static/…``: the files as they are written, free for modules on other origins to import."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")

    def set_extra_headers(self, path: str) -> None:
        if "v" not in self.request.arguments:
            self.set_header("Cache-Control", "no-cache")
        if path.endswith(".svg"):
            # An image of ours may carry styles of its own; it may do nothing else.
            policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
            self.set_header("Content-Security-Policy", policy)

    def parse_url_path(self, url_path: str) -> str:
        if "\0" in url_path:
            raise web.HTTPError(404)  # no file can be called so, and the system calls raise
        return super().parse_url_path(url_path)

    def get_cache_time(self, path: str, modified: Any, mime_type: str) -> int:
        return VERSIONED_SECONDS if "v" in self.request.arguments else 0
