from __future__ import annotations

import io
import sys
import tarfile
from typing import Any

import numpy as np
import pytest

from endash.errors import CorpusError, EndashError
from endash.frontends.reading_pictures import read_picture
from shared import shared

Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow")

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def written(image: Any, kind: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def corners() -> Any:
    """Two rows of three pixels: the first is red, the last blue, the others white."""
    image = Image.new("RGB", (3, 2), WHITE)
    image.putpixel((0, 0), RED)
    image.putpixel((2, 1), BLUE)
    return image


def photo(width: int, height: int) -> Any:
    """A smooth picture of many colours."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([255 * x / width, 255 * y / height, 255 * (x + y) / (width + height)], 2).astype("u1")
    )


def test_pixels_are_rows_of_columns_of_colours() -> None:
    found = read_picture(written(corners()), "a", side=9)
    assert (found.shape, found.dtype) == ((2, 3, 3), np.uint8)
    assert tuple(found[0, 0]) == RED
    assert tuple(found[1, 2]) == BLUE


@pytest.mark.parametrize(
    ("orientation", "shape", "red"),
    [
        (1, (2, 3), (0, 0)),
        (2, (2, 3), (0, 2)),
        (3, (2, 3), (1, 2)),
        (4, (2, 3), (1, 0)),
        (5, (3, 2), (0, 0)),
        (6, (3, 2), (0, 1)),
        (7, (3, 2), (2, 1)),
        (8, (3, 2), (2, 0)),
    ],
)
def test_a_picture_stands_as_the_camera_was_held(
    orientation: int, shape: tuple[int, int], red: tuple[int, int]
) -> None:
    """Where the first pixel of the file goes is told in the EXIF standard, tag 0x0112."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_picture(written(corners(), exif=exif), "a", side=9)
    assert found.shape == (*shape, 3)
    assert tuple(found[red]) == RED


@pytest.mark.parametrize(
    ("mode", "colour", "wanted", "kind"),
    [
        ("L", 100, (100, 100, 100), "PNG"),
        ("1", 1, WHITE, "PNG"),
        ("LA", (100, 255), (100, 100, 100), "PNG"),
        ("LA", (0, 0), WHITE, "PNG"),
        ("RGBA", (255, 0, 0, 0), WHITE, "PNG"),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204), "PNG"),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204), "WEBP"),
        ("CMYK", (0, 255, 255, 0), RED, "TIFF"),
        ("YCbCr", (76, 85, 255), (254, 0, 0), "TIFF"),
        ("I;16", 0x64FF, (100, 100, 100), "PNG"),
        ("I;16B", 0x64FF, (100, 100, 100), "TIFF"),
    ],
)
def test_every_mode_becomes_colours_on_white(mode: str, colour: Any, wanted: tuple[int, ...], kind: str) -> None:
    how = {"lossless": True} if kind == "WEBP" else {}
    found = read_picture(written(Image.new(mode, (2, 2), colour), kind, **how), "a", side=9)
    assert found.tolist() == [[list(wanted)] * 2] * 2


def test_a_palette_is_looked_up_and_its_transparent_colour_is_white() -> None:
    image = corners().quantize(8)
    assert tuple(read_picture(written(image), "a", side=9)[0, 0]) == RED
    clear = image.getpixel((0, 0))
    assert tuple(read_picture(written(image, transparency=clear), "a", side=9)[0, 0]) == WHITE


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((300, 200), (40, 60, 3)),
        ((100, 400), (60, 15, 3)),
        ((60, 60), (60, 60, 3)),
        ((20, 30), (30, 20, 3)),
        ((2000, 1), (1, 60, 3)),
    ],
)
def test_the_longer_side_is_brought_down(size: tuple[int, int], shape: tuple[int, ...]) -> None:
    assert read_picture(written(photo(*size)), "a", side=60).shape == shape


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_is_scaled_down_looks_the_same(kind: str) -> None:
    found = read_picture(written(photo(1200, 900), kind), "a", side=60)
    # two levels of JPEG's quantisation, and half a pixel of the slope that the edges do not reach
    assert np.abs(found.astype(int) - np.asarray(photo(60, 45), dtype=int)).max() <= 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a\.jpg is an empty file"),
        (b"This is no picture, but text.", r"a\.jpg is no picture that can be read: give JPEG, PNG, "),
        (written(photo(90, 90), "JPEG")[:-300], r"a\.jpg is broken or cut off \(.*truncated.*\): bring it back"),
        (written(photo(90, 90), "PNG")[:-300], r"a\.jpg is broken or cut off"),
        (written(photo(90, 90), "GIF")[:-300], r"a\.jpg is broken or cut off"),
        (written(photo(90, 90), "JPEG")[:40], r"a\.jpg is (no picture|broken)"),
        (written(photo(90, 90), "PNG").replace(b"IDAT", b"IDBT"), r"a\.jpg is (no picture|broken)"),
        (written(photo(90, 90), "PNG")[:200] + bytes(99), r"a\.jpg is broken or cut off"),
        (written(Image.new("F", (2, 2), 0.5), "TIFF"), r"a\.jpg has pixels of 32 bits: save it with 8 or 16"),
        (written(Image.new("I", (2, 2), 5), "TIFF"), r"a\.jpg has pixels of 32 bits"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_picture(data, "a.jpg", side=30)


@pytest.mark.parametrize("most", [600, 400])  # Pillow warns of more than it allows, and raises from twice as many
def test_what_would_fill_the_memory_is_refused(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with pytest.raises(
        CorpusError, match=rf"a\.png has more than {most} pixels, which may fill the memory: scale it down"
    ):
        read_picture(written(photo(30, 30)), "a.png", side=30)


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(EndashError, match=r"takes the library Pillow .*: pip install 'endash\[vision\]'") as caught:
        read_picture(b"", "a", side=9)
    assert not isinstance(caught.value, CorpusError)  # it is no fault of the file's


@pytest.mark.parametrize(("part", "count"), [("train", 700), ("valid", 100)])
def test_all_pictures_of_a_corpus(part: str, count: int) -> None:
    with tarfile.open(shared(f"caption/flickr8k_1000/{part}.tar")) as archive:
        files = [one for one in archive if one.isfile()]
        assert len(files) == count
        for file in files:
            held = archive.extractfile(file)
            assert held is not None
            found = read_picture(held.read(), file.name, side=64)
            assert max(found.shape[:2]) == 64
            assert found.std() > 5  # it shows something
