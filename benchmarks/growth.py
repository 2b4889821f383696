"""How the cost of decoding grows beside CTranslate2: with the source, the vocabulary, the beam, the width, and the callers.

    pip install ctranslate2==4.8.5
    python benchmarks/growth.py --json growth.json --picture growth.png

Transformers of 3 + 3 layers with random parameters, width 256, 8,000 tokens, sources of 16 tokens and targets of 30, beam 4, two
threads, int8; one of these is changed at a time. Both sides from text to text in processes of their own, in turn. The callers
hand in one text after the other. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import engine
import workers

SIDES = ("ctranslate2", "endash")


@dataclass(frozen=True)
class Point:
    """What is decoded."""

    source: int = 16
    vocabulary: int = 8_000
    beam: int = 4
    width: int = 256
    callers: int = 0

    @property
    def count(self) -> int:
        """Sentences: fewer, where there is more to multiply for each."""
        steps = engine.WRITTEN * self.beam
        work = (self.source + steps) * self.width**2 * 10 + steps * self.vocabulary * self.width
        return int(min(400, max(8, 4e11 / work)))


AXES: dict[str, tuple[str, list[int]]] = {
    "source": ("source tokens", [8, 16, 32, 64, 128, 256, 512, 1024]),
    "vocabulary": ("tokens of the vocabulary", [4_000, 8_000, 16_000, 32_000, 64_000]),
    "beam": ("beam", [1, 2, 4, 8, 16]),
    "width": ("width", [128, 256, 512, 1024]),
    "callers": ("callers", [1, 2, 4, 8, 16, 32, 64]),
}


def main() -> None:
    """Measure, and print a Markdown table."""
    one = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--rounds", type=int, default=5, help="of each point, with both sides")
    one.add_argument("--axes", nargs="*", choices=AXES, default=list(AXES), help="those to measure (all)")
    one.add_argument("--json", help="also write every measurement to this file")
    one.add_argument("--picture", help="draw the curves into this file; needs matplotlib")
    options = one.parse_args()
    about, told = workers.machine(), dict[str, list[dict[str, Any]]]()
    models: dict[tuple[int, int], tuple[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for axis in options.axes:
            for value in AXES[axis][1]:
                point = replace(Point(), **{axis: value})
                shape = point.width, point.vocabulary
                if shape not in models:
                    where = Path(folder) / "-".join(map(str, shape))
                    models[shape] = engine.random_model(where, width=point.width, layers=3, size=point.vocabulary)
                told.setdefault(axis, []).append({"value": value, **measure(point, *models[shape], options.rounds)})
                print(axis, told[axis][-1], file=sys.stderr, flush=True)
    print(
        "\n".join(
            [*workers.head(about), "", *workers.table(["", "CTranslate2, ms", "Endash, ms", "faster by"], rows(told))]
        )
    )
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": about, "axes": told}, indent=1))
    if options.picture:
        draw(told, Path(options.picture))


def measure(point: Point, model: str, peer: str, rounds: int) -> dict[str, Any]:
    """Milliseconds for each sentence, of each round and side."""
    sources = engine.random_sources(point.count, length=point.source, size=point.vocabulary)
    job = {
        "model": model,
        "peer": peer,
        "sources": sources,
        "beam": point.beam,
        "random": True,
        "callers": point.callers,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        sides = {side: engine.Side(side, {"file": file.name}) for side in SIDES}
        found: dict[str, list[float]] = {side: [] for side in sides}
        for _, side in workers.in_turn(SIDES, rounds):
            found[side].append(1e3 * sum(sides[side].ask()["times"]) / len(sources))
        for one in sides.values():
            one.close()
    return {"sentences": len(sources), **found}


def rows(told: dict[str, list[dict[str, Any]]]) -> Iterator[list[str]]:
    """A row for each point."""
    for axis, points in told.items():
        for point in points:
            ratios = workers.Spread(tuple(a / b for a, b in zip(*(point[side] for side in SIDES), strict=True)))
            each = [workers.Spread(tuple(point[side])).show(2) for side in SIDES]
            yield [f"{AXES[axis][0]}: {point['value']:,}", *each, f"{ratios.show(2)} ×"]


def draw(told: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """A curve for each side and axis, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(told), 3.2), layout="constrained")
    for axes, (axis, points) in zip(figure.subplots(1, len(told), squeeze=False)[0], told.items(), strict=True):
        values = [point["value"] for point in points]
        for side, colour in zip(SIDES, ("#b0b0b0", "#1f5fa8"), strict=True):
            low, middle, high = ([take(point[side]) for point in points] for take in (min, statistics.median, max))
            axes.plot(values, middle, marker="o", color=colour, label={"endash": "Endash"}.get(side, "CTranslate2"))
            axes.fill_between(values, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.set(xscale="log", yscale="log", xlabel=AXES[axis][0])
        axes.set_xticks(values, [f"{value:,}" for value in values], rotation=45)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("ms for each sentence")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
