"""The widget on a shop's own pages: the loader, and the frame that it opens."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from handlers.assets import Assets
from handlers.base import PageHandler, within_limit
from handlers.rows import person, thread
from handlers.views import WidgetView

LOADER: Final = "js/loader.js"


class Loader(Assets):
    """``/widget.js``: the same for every shop; it finds its server by its own address."""

    def initialize(self) -> None:  # type: ignore[override]  # its one file is known
        super().initialize(self.settings["static_path"])

    async def get(self, path: str = LOADER, include_body: bool = True) -> None:
        await super().get(path, include_body)

    async def head(self, path: str = LOADER) -> None:
        await super().head(path)

    def set_extra_headers(self, path: str) -> None:
        super().set_extra_headers(path)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")


class WidgetFrame(PageHandler):
    """``/widget/SELLER_ID``: the frame, the same for everybody and without a cookie's help.

    Who looks at it, and what was said before, its script learns from the page around it.
    """

    public = True
    same_for_everybody = True

    async def get(self, seller_id: str) -> None:
        seller = person(await within_limit(self.shop.history.seller(seller_id)), self.language)
        shown = thread(
            None,
            None,
            seller,
            f"/chat/{quote(seller_id)}",
            language=self.language,
            now=datetime.now(UTC),
        )
        self.page("widget.html", WidgetView(seller, self.shop.settings.origins, shown))

    def frame_ancestors(self) -> str:
        return " ".join(self.shop.settings.origins)
