"""The widget on a shop's own pages: the loader, and the frame that it opens."""

from datetime import UTC, datetime
from urllib.parse import quote

from handlers.assets import PublicHandler
from handlers.launcher import launcher
from handlers.look import dressed
from handlers.page_handler import PageHandler
from handlers.rows import person, thread
from handlers.time_limit import within_limit
from handlers.views import WidgetView
from models.shop import Shop


class Loader(PublicHandler):
    """``/widget.js``: the same for every shop; it finds its server by its own address."""

    def get(self) -> None:
        shop: Shop = self.settings["parts"].shop
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.send_packed(launcher(shop.preferences.all()))

    def head(self) -> None:
        self.get()


class WidgetFrame(PageHandler):
    """``/widget/SELLER_ID``: the frame, the same for everybody and without a cookie's help.

    Who looks at it, and what was said before, its script learns from the page around it.
    """

    public = True
    same_for_everybody = True

    async def get(self, seller_id: str) -> None:
        chosen = self.wear(seller_id)
        self.speak(chosen.language)
        seller = dressed(
            person(await within_limit(self.shop.history.seller(seller_id)), self.language), chosen
        )
        availability = await within_limit(self.shop.availability.of(seller_id))
        shown = thread(
            None,
            None,
            seller,
            f"/chat/{quote(seller_id)}",
            language=self.language,
            now=datetime.now(UTC),
        )
        origins = self.shop.settings.origins
        self.page("widget.html", WidgetView(seller, availability, origins, shown, chosen.greeting))

    def frame_ancestors(self) -> str:
        return " ".join(self.shop.settings.origins)
