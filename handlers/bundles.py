"""The scripts and style sheets of pages: each page has one file of either, joined, without comments
and spaces, compressed, under an address that names its content.

They are made from ``static/`` at their first use and kept in memory; a change of a file shows after
a restart. The files themselves stay served as they are written, see ``assets.py``.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import rcssmin

from handlers.compression import Packed
from handlers.modules import joined

try:
    import minify  # tdewolff's: it parses, and so can rename what a script keeps to itself
except (ImportError, OSError):  # no wheel for this machine, or one whose library cannot be loaded
    minify = None  # all works the same, with two times the bytes

STATIC: Final = Path(__file__).parent.parent / "static"
SCRIPTS: Final = STATIC / "js"
SHEETS: Final = STATIC / "css"

JAVASCRIPT: Final = "text/javascript; charset=utf-8"
CSS: Final = "text/css; charset=utf-8"

_DESCENDANT: Final = re.compile(r"(?<=[\w\])]) :(?=[a-z])")

# Which components a page shows. Every page begins with the same sheets, of which the first fixes
# the order of the layers, and ends with the utilities.
_FIRST: Final = ("tokens", "reset", "base", "layout", "button")
_CONVERSATION: Final = ("banner", "message", "timeline", "composer")
_BUYER: Final = ("avatar", *_CONVERSATION, "availability")
_INBOX: Final = ("avatar", "badge", "header", *_CONVERSATION, "conversation-list")
PAGES: Final[dict[str, tuple[str, ...]]] = {
    "chat.css": (*_FIRST, *_BUYER, "chat", "utilities"),
    "widget.css": (*_FIRST, *_BUYER, "header", "widget", "utilities"),
    "inbox.css": (*_FIRST, *_INBOX, "side", "menu", "shortcuts", "utilities"),
    "inbox-widget.css": (*_FIRST, *_INBOX, "utilities"),
    "settings.css": (*_FIRST, "avatar", "message", "field", "settings", "sample", "utilities"),
    "login.css": (*_FIRST, "field", "login", "utilities"),
    "error.css": (*_FIRST, "timeline", "utilities"),
    "docs.css": (*_FIRST, "docs", "utilities"),
    "demo.css": ("demo",),  # a shop of its own, on which the chat is a guest
}
# With which script a page begins; other modules are only ever parts of these. Joining takes a tenth
# of a second: strangers may not have it done with whatever module there is.
ENTRIES: Final = frozenset(
    {"chat.js", "demo.js", "inbox.js", "inbox-widget.js", "settings.js", "widget-frame.js"}
)


def bundle_address(name: str) -> str:
    """Where a page finds a bundle. Raises ``KeyError`` if there is none of this name."""
    return f"/assets/{bundle(name).digest}/{name}"


def bundle(name: str) -> Packed:
    """``chat.js`` is that module with all that it imports, ``chat.css`` the sheets of that page.

    Raises ``KeyError`` if there is no such thing.
    """
    if name in PAGES:
        return _style(name)
    if name in ENTRIES:
        return _script(name)
    raise KeyError(name)


@cache
def _script(name: str) -> Packed:
    return Packed.of(minified_script(joined(SCRIPTS / name)), JAVASCRIPT)


@cache
def _style(name: str) -> Packed:
    texts = [(SHEETS / f"{sheet}.css").read_text(encoding="utf-8") for sheet in PAGES[name]]
    return Packed.of(minified_style("".join(texts)), CSS)


def minified_script(text: str) -> str:
    """A script without its comments and spaces, and with short names for what is its own."""
    small: str = text if minify is None else minify.string("application/javascript", text)
    return small


def minified_style(text: str) -> str:
    """A style sheet without its comments and spaces."""
    # Within a block rcssmin takes ".list :is(.row)" for a declaration, and the space away.
    small: str = rcssmin.cssmin(_DESCENDANT.sub(" *:", text))
    return small
