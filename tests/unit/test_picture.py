import asyncio
import struct
import threading
import time
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from models import picture
from models.errors import Invalid, Unavailable
from models.picture import (
    BROKEN,
    LOGO_PIXELS,
    NO_DRAWING,
    NO_PICTURE,
    SCAN_MARKER,
    TOO_MANY_PIXELS,
    WAITING,
    Pictures,
    logo,
)


def file_of(picture, kind="PNG", **more):
    file = BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def drawing(size=(64, 64), colour=(200, 20, 20)):
    return Image.new("RGB", size, colour)


def photograph(size):
    return Image.effect_noise(size, 90).convert("RGB")


def opened(picture):
    return Image.open(BytesIO(picture.content))


def png_chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, pixels):
    """A PNG that promises a size, whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def refusal(file):
    with pytest.raises(Invalid) as refused:
        logo(file)
    assert refused.value.field == "logo"
    return refused.value.message


# --- What is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_pictures_of_all_usual_kinds_are_taken(kind):
    made = logo(file_of(drawing(), kind))
    assert made.type == "image/png"
    assert opened(made).size == (64, 64)
    red, green, blue = opened(made).convert("RGB").getpixel((32, 32))
    assert red > 180
    assert max(green, blue) < 60


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "CMYK", "YCbCr"]
)
def test_pictures_of_all_colour_models_are_taken(mode):
    kind = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    source = Image.new("RGBA" if mode == "PA" else mode, (32, 32))
    if mode == "PA":
        source = source.quantize()
    assert opened(logo(file_of(source, kind))).size == (32, 32)


@pytest.mark.parametrize(
    ("size", "side"), [((1200, 900), 256), ((300, 3000), 256), ((100, 40), 40), ((1, 1), 1)]
)
def test_a_logo_is_the_square_in_the_middle_and_never_enlarged(size, side):
    made = logo(file_of(drawing(size)))
    assert opened(made).size == (side, side)
    assert side <= LOGO_PIXELS


def test_the_middle_is_what_is_kept():
    source = drawing((300, 100), (0, 0, 0))
    source.paste((0, 200, 0), (100, 0, 200, 100))
    kept = opened(logo(file_of(source)))
    assert {kept.getpixel(place) for place in ((2, 2), (97, 97), (50, 50))} == {(0, 200, 0)}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_what_can_be_seen_through_stays_so(kind):
    source = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    source.paste((10, 20, 30, 255), (16, 16, 48, 48))
    made = opened(logo(file_of(source, kind))).convert("RGBA")
    assert made.getpixel((2, 2))[3] == 0
    assert made.getpixel((32, 32))[3] == 255


def test_a_photograph_stays_small():
    made = logo(file_of(photograph((800, 800)), "JPEG", quality=30))
    assert made.type == "image/webp"
    assert len(made.content) < 64 * 1024
    assert opened(made).size == (256, 256)


def test_a_picture_stands_upright():
    source = drawing((60, 60), (0, 0, 0))
    source.paste((255, 255, 255), (0, 0, 60, 30))  # white above, as the camera lay on its side
    turned = Image.Exif()
    turned[0x0112] = 6
    kept = opened(logo(file_of(source, "JPEG", exif=turned))).convert("L")
    assert kept.getpixel((50, 30)) > 200
    assert kept.getpixel((10, 30)) < 50


def test_of_a_moving_picture_the_first_frame_is_kept():
    frames = [drawing(colour=(0, 0, 250)), drawing(colour=(250, 0, 0))]
    for kind in ("GIF", "WEBP", "PNG"):
        file = file_of(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        made = opened(logo(file))
        assert getattr(made, "n_frames", 1) == 1
        assert made.convert("RGB").getpixel((5, 5))[2] > 200


def test_the_version_names_the_content():
    blue, red = file_of(drawing(colour=(0, 0, 250))), file_of(drawing(colour=(250, 0, 0)))
    assert logo(blue).version == logo(blue).version != logo(red).version


# --- What does not come along ---------------------------------------------------------------------


def test_nothing_that_was_hidden_in_the_file_is_kept():
    secret = b"taken at 48.2082 N, 16.3738 E"
    exif = Image.Exif()
    exif[0x010E] = secret.decode()
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", secret.decode())
    for file in (
        file_of(drawing(), "JPEG", exif=exif, comment=secret),
        file_of(drawing(), "PNG", pnginfo=info, exif=exif),
        file_of(drawing(), "WEBP", exif=exif, xmp=secret),
        file_of(drawing(), "GIF", comment=secret),
        file_of(drawing(), "PNG") + b"<script>" + secret,
        file_of(photograph((300, 300)), "JPEG", quality=30, exif=exif, icc_profile=secret * 9),
    ):
        assert secret in file
        made = logo(file)
        assert secret not in made.content
        assert b"<script" not in made.content
        assert not set(opened(made).info) - {"background", "timestamp", "duration", "loop"}


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xef\xbb\xbf\n  <SVG/>",
        b"<?xml version='1.0'?><svg/>",
        b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' ''><svg/>",
    ],
)
def test_drawings_that_can_carry_scripts_are_refused_in_words(file):
    assert refusal(file) == NO_DRAWING


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\0" * 100,
        b"<html><script>alert(1)</script></html>",
        b"GIF89a=1;alert(1)//",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        *(file_of(drawing(), kind) for kind in ("BMP", "TIFF", "ICO", "PPM", "PDF", "TGA")),
    ],
)
def test_what_is_no_picture_of_the_known_kinds_is_refused(file):
    assert refusal(file) in {NO_PICTURE, BROKEN}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_damaged_pictures_are_refused(kind):
    file = file_of(photograph((120, 120)), kind)
    for length in (20, 60, len(file) // 2):
        assert refusal(file[:length]) in {NO_PICTURE, BROKEN}


@pytest.mark.parametrize(
    ("width", "height"), [(60_000, 60_000), (5_000, 1), (1, 5_000), (4_000, 4_000)]
)
def test_bombs_are_refused_before_they_unfold(width, height):
    began = time.process_time()
    assert refusal(png(width, height, b"not even pixels")) == TOO_MANY_PIXELS
    assert time.process_time() - began < 1  # 14 GB would take longer


def test_a_picture_that_is_drawn_a_thousand_times_over_is_refused():
    file = file_of(Image.new("L", (2828, 2828), 200), "JPEG", progressive=True, quality=50)
    scan, end = file.rindex(SCAN_MARKER), len(file) - 2
    shortest = min((file[scan:end], *file.split(SCAN_MARKER)[1:-1]), key=len)
    again = SCAN_MARKER + shortest.removeprefix(SCAN_MARKER)
    began = time.process_time()
    assert refusal(file[:end] + again * 1600 + file[end:]) == BROKEN
    assert time.process_time() - began < 5  # with all its scans it takes 13 seconds
    assert opened(logo(file)).size == (256, 256)


def test_what_unfolds_to_more_than_it_promises_is_cut_off():
    pixels = zlib.compress(b"\0" * 40_000_000, 9)
    assert len(pixels) < 64 * 1024
    made = logo(png(16, 16, pixels))
    assert opened(made).size == (16, 16)


def test_texts_that_unfold_are_refused():
    text = b"k\0\0" + zlib.compress(b"a" * 40_000_000, 9)
    file = file_of(drawing())
    assert refusal(file[:33] + png_chunk(b"zTXt", text) + file[33:]) == BROKEN


@given(
    st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.integers(0, 200)
)
def test_whatever_is_wrong_with_a_file_it_is_refused_and_nothing_else(noise, kind, place):
    file = file_of(drawing((24, 24)), kind)
    with suppress(Invalid):
        made = logo(file[:place] + noise + file[place + len(noise) :])
        assert max(opened(made).size) <= LOGO_PIXELS


# --- Off the loop ---------------------------------------------------------------------------------


@pytest.fixture
def pictures():
    pictures = Pictures()
    yield pictures
    pictures.close()


async def test_a_few_may_wait_and_no_more(pictures):
    file = file_of(photograph((600, 600)), "JPEG")
    asked = [asyncio.ensure_future(pictures.logo(file)) for _ in range(WAITING + 3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers[-2:]] == [Unavailable, Unavailable]
    assert all(answer.type == "image/webp" for answer in answers[:-2])
    assert (await pictures.logo(file)).type == "image/webp"


async def test_the_loop_is_free_while_a_picture_is_drawn(pictures, monkeypatch):
    threads = []

    def drawn(_file):
        threads.append(threading.current_thread())
        return picture.Picture(b"", "image/png")

    monkeypatch.setattr(picture, "logo", drawn)
    await asyncio.wait_for(pictures.logo(b""), 5)
    assert threads[0] is not threading.main_thread()
