"""A shop's logo: from whatever file somebody gives to a small, square, clean picture.

What is kept was drawn anew here, so nothing that was hidden in the file lives on: no metadata, no
second format, no script. The only module that knows Pillow.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import Invalid, Unavailable

LOGO_PIXELS: Final = 256  # of each side, at most: an avatar of 64 at four dots a pixel
SIDE_PIXELS: Final = 4096
# What a file may unfold to: some 200 MiB and half a second, whatever its few bytes promise.
UNFOLDED_PIXELS: Final = 8_000_000
# A JPEG may go over all of its pixels again and again, with 20 bytes each time: a file of 64 KiB
# kept the thread busy for 13 seconds. Cameras and programs write ten scans at most.
JPEG_SCANS: Final = 24
SCAN_MARKER: Final = b"\xff\xda"
PNG_BYTES: Final = 32 * 1024  # a drawing takes less; a photograph takes more, and becomes WebP
WAITING: Final = 8

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")

Image.MAX_IMAGE_PIXELS = None  # it would only warn of the smaller bombs; all are counted below

NO_PICTURE: Final = "This is not a picture. A logo is a PNG, JPEG or WebP file."
NO_DRAWING: Final = "An SVG file can carry scripts. Save the logo as PNG, JPEG or WebP."
BROKEN: Final = "This picture is damaged. Save it once more and try again."
TOO_MANY_PIXELS: Final = (
    f"This picture is too large. A logo has at most {SIDE_PIXELS} pixels a side."
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is served. ``version`` names its content."""

    content: bytes
    type: Literal["image/png", "image/webp"]

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]


class Pictures:
    """Makes logos, one at a time, off the loop; a few more may wait."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._asked = 0

    async def logo(self, file: bytes) -> Picture:
        """Raises ``Invalid``; ``Unavailable`` when too many are waiting."""
        if self._asked > WAITING:
            raise Unavailable("Too many pictures at once. Please try again.", retry_after=1)
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, logo, file)
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Lets the thread go; what still waits is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def logo(file: bytes) -> Picture:
    """The middle of a picture as a square of at most ``LOGO_PIXELS``, upright; what can be seen
    through stays so. Of a moving picture, the first frame. Raises ``Invalid``.
    """
    if _looks_like_svg(file):
        raise Invalid(NO_DRAWING, field="logo")
    with _refusing_what_is_broken(), Image.open(BytesIO(file), formats=FORMATS) as picture:
        # Only the head of the file has been read so far.
        width, height = picture.size
        if max(width, height) > SIDE_PIXELS or width * height > UNFOLDED_PIXELS:
            raise Invalid(TOO_MANY_PIXELS, field="logo")
        if picture.format == "JPEG" and file.count(SCAN_MARKER) > JPEG_SCANS:
            raise Invalid(BROKEN, field="logo")
        upright = ImageOps.exif_transpose(picture)
        drawn = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        side = min(LOGO_PIXELS, *drawn.size)
        return _written(ImageOps.fit(drawn, (side, side)))


def _looks_like_svg(file: bytes) -> bool:
    head = file[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<") and (b"<svg" in head or head.startswith((b"<?xml", b"<!doctype")))


def _written(picture: Image.Image) -> Picture:
    """As PNG, where edges stay sharp, or as WebP where that would be large."""
    picture.info.clear()  # profiles and comments
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    if len(file.getvalue()) <= PNG_BYTES:
        return Picture(file.getvalue(), "image/png")
    file = BytesIO()
    picture.save(file, "WEBP", quality=88)
    return Picture(file.getvalue(), "image/webp")


@contextmanager
def _refusing_what_is_broken() -> Iterator[None]:
    try:
        yield
    except Invalid:
        raise
    except UnidentifiedImageError:
        raise Invalid(NO_PICTURE, field="logo") from None
    except Exception:  # noqa: BLE001  # its readers raise anything on a file that was made to
        raise Invalid(BROKEN, field="logo") from None
