"""Fonts for pictures in any script: those of a list that this machine has, and a warning for what none of them can write."""

from __future__ import annotations

import logging
import warnings
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# The first that has a character draws it, so Latin text looks the same everywhere and the rest is added where it exists.
_WANTED = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK TC",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "SimHei",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Noto Sans Symbols2",
    "Arial Unicode MS",
    "Nirmala UI",
    "Segoe UI Symbol",
)


@dataclass(frozen=True, slots=True)
class Fonts:
    """The families that text is drawn in, the first that has a character first."""

    families: tuple[str, ...]

    def width(self, text: str, size: float) -> float:
        """How wide `text` is at `size` points, in points."""
        from matplotlib.backends import backend_agg
        from matplotlib.font_manager import FontProperties

        if not text:
            return 0.0
        renderer: Any = backend_agg.RendererAgg
        with silence():
            properties = FontProperties(family=list(self.families), size=size)
            # At 72 dots to the inch a pixel is a point.
            wide, _, _ = renderer(1, 1, 72).get_text_width_height_descent(text, properties, ismath=False)
        return float(wide)

    def clip(self, text: str, size: float, most: float) -> str:
        """`text`, or as much of its start as fits into `most` points."""
        if self.width(text, size) <= most:
            return text
        fitting = bisect(range(1, len(text)), most, key=lambda length: self.width(text[:length] + "…", size))
        return text[:fitting] + "…"


def find_fonts(text: str) -> Fonts:
    """The wanted fonts of this machine that `text` needs; warns once if none of them has some character of it."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    here = {entry.name for entry in fontManager.ttflist}
    families, left = [_WANTED[0]], {character for character in text if not character.isspace()}
    for name in _WANTED:
        if not left or name not in here:
            continue
        font = get_font(fontManager.findfont(FontProperties(family=[name])))
        lacking = {character for character in left if not font.get_char_index(ord(character))}
        if lacking != left and name not in families:
            families.append(name)
        left = lacking
    if left:
        some = " ".join(sorted(left)[:8]) + (" …" if len(left) > 8 else "")
        warnings.warn(
            f"no font here has {len(left)} of the characters ({some}), they are drawn as boxes: install one that has "
            "them, such as the package fonts-noto-cjk or fonts-noto-core, or look at the HTML page",
            stacklevel=3,
        )
    return Fonts(tuple(families))


@contextmanager
def silence() -> Iterator[None]:
    """No warnings of matplotlib about each missing character: `find_fonts` has said it once, with what to do."""
    logger = logging.getLogger("matplotlib.font_manager")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="(Glyph|Matplotlib currently does not support)")
            yield
    finally:
        logger.setLevel(before)
