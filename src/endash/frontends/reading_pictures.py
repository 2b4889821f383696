"""Picture files as pixels of at most one size. Shapes: H and W pixels."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endash.errors import CorpusError, EndashError

_CLEAR = frozenset({"LA", "PA", "RGBA", "RGBa"})  # modes of which a part may be transparent


def read_picture(data: bytes, name: str, *, side: int) -> NDArray[np.uint8]:
    """The pixels (H, W, 3), red, green and blue, of a file's content, in every format that Pillow knows.

    It stands as its camera was held (EXIF), on white where it is transparent, and is scaled down so that its longer side has
    at most `side` pixels; a smaller one stays as it is. Of a moving picture it is the first frame.

    Raises CorpusError, which names the file, for one that is empty, cut off, broken, too large to be unpacked or of another
    format; EndashError where Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise EndashError(
            f"to read pictures takes the library Pillow ({error}): pip install 'endash[vision]'"
        ) from error
    if not data:
        raise CorpusError(f"{name} is an empty file: leave it out, or bring it back from a copy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = _unpacked(data, name, side)
    except (CorpusError, MemoryError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        most = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise CorpusError(f"{name} has more than {most} pixels, which may fill the memory: scale it down") from error
    except UnidentifiedImageError as error:
        raise CorpusError(f"{name} is no picture that can be read: give JPEG, PNG, WebP, GIF, TIFF or BMP") from error
    except Exception as error:  # each format's reader has errors of its own for what it did not expect
        raise CorpusError(
            f"{name} is broken or cut off ({error}): bring it back from a copy, or leave it out"
        ) from error
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.array(image)


def _unpacked(data: bytes, name: str, side: int) -> Any:
    """The picture, upright and in mode RGB, not much smaller than it will be."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as file:
        file.draft(None, (2 * side, 2 * side))  # a large JPEG is unpacked at a fraction of its size
        upright = ImageOps.exif_transpose(file)
        # of 32 bits nothing tells which number is white; those of PNG and PPM in mode I are 16
        if upright.mode == "F" or (upright.mode == "I" and file.format not in {"PNG", "PPM"}):
            raise CorpusError(f"{name} has pixels of 32 bits: save it with 8 or 16 bits a colour")
    if upright.mode.startswith("I"):
        return Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8)).convert("RGB")
    if upright.mode in _CLEAR or "transparency" in upright.info:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    return upright.convert("RGB")
