"""A `Look` as one PNG for papers and slides: the alignment, the mean weights below it, the memory similarity, and each head.

Lengths are in points, 72 to the inch.
"""

from __future__ import annotations

import io
import math
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from endash.errors import EndashError
from endash.inspection.colours import scale
from endash.inspection.files import write_whole
from endash.inspection.fonts import Fonts, find_fonts, silence
from endash.inspection.look import Floats, Look, Shown, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI, _PIXELS = (
    160,
    30_000_000,
)  # very long sentences are drawn with fewer dots, so that the picture can still be opened
_SHOWN = 0.08  # weights below this draw no curve, as on the page
_INK, _SOFT, _CHIP, _LINE = "#1b1f24", "#5d6670", "#eef1f2", "#2c7893"
_MARGIN, _CURVE, _ROW, _GAP = 30.0, 92.0, 24.0, 54.0
_TOKEN, _TITLE = 11.0, 12.0  # sizes of type
_TINY, _NAME, _BETWEEN = (
    7.0,
    46.0,
    10.0,
)  # the maps of the heads: the largest cell, a layer's name, what is left between
_LONGEST = 110.0  # a label beside a map is cut at this width


def write_png(look: Look, path: str | os.PathLike[str]) -> Path:
    """Draw `look` and write it to `path`, whole or not at all.

    Warns once, naming what to install, if no font of this machine has some character. Raises EndashError if matplotlib is
    not installed or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise EndashError("a picture as PNG needs matplotlib: pip install 'endash[pictures]'") from problem
    fonts = find_fonts(_all_text(look))
    written = io.BytesIO()
    with silence():
        picture = _Picture(Figure(facecolor="white"), look, fonts)
        picture.draw()
        picture.figure.savefig(written, format="png", dpi=picture.dpi, metadata={"Software": "endash"})
    return write_whole(path, written.getvalue())


def _all_text(look: Look) -> str:
    labels = [token.label for token in (*shown(look.source_tokens), *shown(look.target_tokens))]
    return "".join([*labels, *(look.passage_label(segment) for segment in range(max(look.segments) + 1))])


def _runs_left(tokens: Iterable[Shown]) -> bool:
    """Whether the first letter that has a direction runs from right to left."""
    letters = (unicodedata.bidirectional(letter) for token in tokens if not token.special for letter in token.label)
    return next((direction for direction in letters if direction in ("L", "R", "AL")), "L") != "L"


@dataclass(frozen=True, slots=True)
class _Row:
    """Tokens side by side: where the centre of each is from the row's left end, and how wide the row is."""

    centres: dict[int, float]
    width: float


class _Picture:
    """The figure and where everything stands in it: the widths of the tokens decide, so they are measured first."""

    def __init__(self, figure: Figure, look: Look, fonts: Fonts) -> None:
        self.figure, self.look, self.fonts = figure, look, fonts
        self.source, self.target = shown(look.source_tokens), shown(look.target_tokens)
        self.cell, self.small = (17.0, 9.0) if max(len(self.source), len(self.target)) <= 60 else (11.0, 7.0)
        self.parts = [[s for s, k in enumerate(look.segments) if k == n] for n in range(max(look.segments) + 1)]
        self.source_labels, self.target_labels = self._clipped(self.source), self._clipped(self.target)
        self.source_label = max(fonts.width(label, self.small) for label in self.source_labels) + 8
        self.target_label = max(fonts.width(label, self.small) for label in self.target_labels) + 8
        self.side = len(self.source) * self.cell
        self.rows = self._rows() if look.layers else []
        named = 22.0 if len(self.parts) > 1 else 0.0
        self.aligned = (len(self.rows) - 1) * (_CURVE + _ROW) + _ROW + 44 + 2 * named if self.rows else 0.0
        map_side = max(self.side, 120.0)
        self.second = self.target_label + map_side + _GAP if look.layers else 0.0
        widths = [360.0, self.second + self.source_label + map_side, *(row.width for row in self.rows)]
        tall = max(len(self.source), len(self.target) if look.layers else 0) * self.cell
        self.head_map = self._head_map(max(widths))
        self.heads = 72 + look.layers * (self.head_map[1] + _BETWEEN) if look.layers * look.heads > 1 else 0.0
        self.width = 2 * _MARGIN + max(*widths, _NAME + look.heads * (self.head_map[0] + _BETWEEN))
        self.height = 2 * _MARGIN + self.aligned + 24 + self.source_label + tall + 34 + self.heads
        figure.set_size_inches(self.width / 72, self.height / 72)
        self.dpi = min(_DPI, math.sqrt(_PIXELS / (self.width / 72 * self.height / 72)))

    def _clipped(self, tokens: Sequence[Shown]) -> list[str]:
        return [self.fonts.clip(token.label, self.small, _LONGEST) for token in tokens]

    def _head_map(self, room: float) -> tuple[float, float]:
        """How wide and how high a head's map is, if those of a layer are to fit into `room` and their cells can be seen."""
        each = (room - _NAME) / max(1, self.look.heads) - _BETWEEN
        cell = max(1.5, min(_TINY, each / len(self.source)))
        return max(34.0, cell * len(self.source)), max(16.0, cell * len(self.target))

    def _rows(self) -> list[_Row]:
        every = [list(range(len(self.target)))]
        rows = [self._row(self.source, self.parts[:1]), self._row(self.target, every)]
        return [*rows, self._row(self.source, self.parts[1:])] if len(self.parts) > 1 else rows

    def _row(self, tokens: Sequence[Shown], blocks: Sequence[Sequence[int]]) -> _Row:
        centres: dict[int, float] = {}
        at = 0.0
        for block in blocks:
            begin = at = at + (26.0 if at else 0.0)
            for place, index in enumerate(block):
                wide = self.fonts.width(tokens[index].label, _TOKEN) + 7
                at += (9.0 if tokens[index].start else 3.0) if place else 0.0
                centres[index] = at + wide / 2
                at += wide
            if _runs_left(tokens[index] for index in block):
                centres |= {index: begin + at - centres[index] for index in block}
        return _Row(centres, at)

    def draw(self) -> None:
        """Draw everything."""
        mean, similarity = self.look.mean_weights(), self.look.similarity
        top = self.height - _MARGIN
        floor = top - self.aligned - 24 - self.source_label
        if self.look.layers:
            self._alignment(mean, top)
            high = max(0.1, math.ceil(float(mean.max()) * 10) / 10)
            place = (_MARGIN + self.target_label, floor)
            self._map("Mean weights", mean, (self.target, self.target_labels), place=place, span=(0.0, high))
        if self.heads:
            self._each_head(_MARGIN + self.heads - 28)
        apart = similarity[~np.eye(len(self.source), dtype=bool)]
        span = (float(apart.min()), float(apart.max())) if apart.size and np.ptp(apart) else (0.0, 1.0)
        place = (_MARGIN + self.second + self.source_label, floor)
        self._map("Memory similarity", similarity, (self.source, self.source_labels), place=place, span=span)

    def _axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def _text(self, axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
        axes.text(x, y, text, family=list(self.fonts.families), parse_math=False, va="center", **style)

    def _sheet(self) -> Axes:
        """All of the figure, in points, to write on."""
        axes = self._axes(0, 0, self.width, self.height)
        axes.set(xlim=(0, self.width), ylim=(0, self.height))
        axes.axis("off")
        return axes

    def _alignment(self, mean: Floats, top: float) -> None:
        axes = self._sheet()
        self._text(axes, _MARGIN, top - 6, "Alignment", size=_TITLE, color=_INK, weight="bold")
        first = top - 36 - (22 if len(self.parts) > 1 else 0)
        heights = [first - level * (_CURVE + _ROW) for level in range(len(self.rows))]
        widest = max(row.width for row in self.rows)
        places = [
            {index: (_MARGIN + (widest - row.width) / 2 + centre, y) for index, centre in row.centres.items()}
            for row, y in zip(self.rows, heights, strict=True)
        ]
        for tokens, row in zip((self.source, self.target, self.source), places, strict=False):
            for index, (x, y) in row.items():
                self._token(axes, tokens[index], x, y)
        source = {s: place for row in (places[0], *places[2:]) for s, place in row.items()}
        self._part_names(axes, source)
        self._curves(axes, mean, source, places[1])

    def _token(self, axes: Axes, token: Shown, x: float, y: float) -> None:
        box = {"boxstyle": "round,pad=0.28", "facecolor": _CHIP, "edgecolor": "none"}
        self._text(axes, x, y, token.label, size=_TOKEN, color=_SOFT if token.special else _INK, ha="center", bbox=box)

    def _part_names(self, axes: Axes, source: dict[int, tuple[float, float]]) -> None:
        if len(self.parts) == 1:
            return
        for part, share in enumerate(self.look.shares()):
            places = [source[s] for s in self.parts[part]]
            if places:
                x = (min(x for x, _ in places) + max(x for x, _ in places)) / 2
                y = places[0][1] + (-22 if part else 22)
                name = f"{self.look.passage_label(part)} · {100 * share:.0f} % of the weight"
                self._text(axes, x, y, name, size=9.0, color=_SOFT, ha="center")

    def _curves(
        self, axes: Axes, mean: Floats, source: dict[int, tuple[float, float]], target: dict[int, tuple[float, float]]
    ) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve

        for t, s in np.argwhere(mean >= _SHOWN).tolist():
            weight, (x, y), (to_x, to_y) = float(mean[t, s]), source[s], target[t]
            away = math.copysign(11.0, y - to_y)
            middle = (y + to_y) / 2
            points = [(x, y - away), (x, middle), (to_x, middle), (to_x, to_y + away)]
            curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
            width, opacity = 0.5 + 6 * weight, 0.18 + 0.72 * min(1.0, weight * 1.4)
            patch = PathPatch(curve, facecolor="none", edgecolor=_LINE, zorder=0.5, linewidth=width, alpha=opacity)
            patch.set_capstyle("round")
            axes.add_patch(patch)

    def _map(
        self,
        title: str,
        table: Floats,
        rows: tuple[Sequence[Shown], Sequence[str]],
        *,
        place: tuple[float, float],
        span: tuple[float, float],
    ) -> None:
        """A heat map whose upper left corner is at `place`, with its title above it and its scale below."""
        from matplotlib.colors import ListedColormap

        (left, top), tall = place, len(table) * self.cell
        axes = self._axes(left, top - tall, self.side, tall)
        image = axes.imshow(table, cmap=ListedColormap(scale("light")), vmin=span[0], vmax=span[1], aspect="auto")
        self._label(axes, rows)
        for s in np.flatnonzero(np.diff(self.look.segments)).tolist():
            axes.axvline(s + 0.5, color="white", linewidth=4)
            if rows[0] is self.source:
                axes.axhline(s + 0.5, color="white", linewidth=4)
        above = (-0.5, -0.5 - (self.source_label + 12) / self.cell)
        self._text(axes, *above, title, size=_TITLE, color=_INK, weight="bold")
        bar = self._axes(left, top - tall - 20, 100, 6)
        self.figure.colorbar(image, cax=bar, orientation="horizontal").set_ticks(list(span))
        bar.tick_params(length=0, labelsize=8, labelcolor=_SOFT)
        bar.set_xticklabels([f"{end:.2f}".replace("-", "−") for end in span])
        for drawn in (axes, bar):
            for spine in drawn.spines.values():
                spine.set_visible(False)

    def _each_head(self, top: float) -> None:
        """A small map of each head, a row for each layer, rows and columns as in the mean's, and one scale for all."""
        from matplotlib.colors import ListedColormap

        high = max(0.1, math.ceil(float(self.look.weights.max()) * 10) / 10)
        (wide, tall), colours = self.head_map, ListedColormap(scale("light"))
        sheet = self._sheet()
        title = f"Weights of each head, from 0 to {high:.1f}"
        self._text(sheet, _MARGIN, top - 6, title, size=_TITLE, color=_INK, weight="bold")
        for h in range(self.look.heads):
            x = _MARGIN + _NAME + h * (wide + _BETWEEN)
            self._text(sheet, x + wide / 2, top - 32, f"head {h + 1}", size=8.0, color=_SOFT, ha="center")
            for layer in range(self.look.layers):
                y = top - 44 - layer * (tall + _BETWEEN) - tall
                if h == 0:
                    self._text(sheet, _MARGIN, y + tall / 2, f"layer {layer + 1}", size=8.0, color=_SOFT)
                self._small_map(self.look.weights[layer, h], (x, y), colours, high)

    def _small_map(self, table: Floats, place: tuple[float, float], colours: Any, high: float) -> None:
        axes = self._axes(*place, *self.head_map)
        axes.imshow(table, cmap=colours, vmin=0.0, vmax=high, aspect="auto", interpolation="nearest")
        for s in np.flatnonzero(np.diff(self.look.segments)).tolist():
            axes.axvline(s + 0.5, color="white", linewidth=1.5)
        axes.axis("off")

    def _label(self, axes: Axes, rows: tuple[Sequence[Shown], Sequence[str]]) -> None:
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, pad=3)
        axes.set_xticks(range(len(self.source)), self.source_labels, rotation=90)
        axes.set_yticks(range(len(rows[0])), rows[1])
        written = [*axes.get_xticklabels(), *axes.get_yticklabels()]
        for label, token in zip(written, [*self.source, *rows[0]], strict=True):
            label.set(family=list(self.fonts.families), size=self.small, color=_SOFT if token.special else _INK)
            label.set_parse_math(False)
        axes.set_xticks(np.arange(1, len(self.source)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(rows[0])) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=0.7)
        axes.tick_params(which="minor", length=0)
