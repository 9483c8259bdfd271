"""Debian's Chromium, as tests, pictures and measurements start it."""

import shutil
from typing import Final

INSTALL: Final = "apt-get install chromium-headless-shell fonts-noto-core fonts-noto-color-emoji"

# The same engine without the browser around it, which takes three times the processor for a page.
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser")


def chromium() -> str | None:
    """The path of the program, or None where there is none: ``INSTALL`` says what to do then."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
