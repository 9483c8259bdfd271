"""Scripts, styles and images, as files."""

from typing import Any, Final

from tornado import web

from handlers.base import refuse_secrets
from models.errors import BadRequest

# An address with a version never changes its content; a script module has none, because a module
# under two addresses would be two modules, so the browser asks each time and gets "not modified".
VERSIONED_SECONDS: Final = 365 * 24 * 60 * 60


class Assets(web.StaticFileHandler):
    """``/static/…``: public, and free for modules on other origins to import."""

    def prepare(self) -> None:
        try:
            refuse_secrets(self.request)
        except BadRequest:
            raise web.HTTPError(400) from None

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
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

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        missing = status_code == 404
        self.write("There is no such file.\n" if missing else "This request is not understood.\n")
