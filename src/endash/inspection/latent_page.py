"""One self-contained HTML page, and one PNG, of a `LatentSpace`: a point for each text, and what each dimension tells."""

from __future__ import annotations

import html
import io
import os
import re
from pathlib import Path

import numpy as np

from endash.errors import EndashError
from endash.inspection.colours import LEVELS, scale, scale_css
from endash.inspection.files import write_whole
from endash.inspection.fonts import find_fonts, silence
from endash.inspection.latent_space import ACTIVE, LatentSpace
from endash.inspection.page import asset, script_json

_LABELLED = 24  # of more texts than these, the picture names those that lie furthest apart


def write_latent_page(space: LatentSpace, path: str | os.PathLike[str]) -> Path:
    """Write the page of `space` to `path`, whole or not at all. Raises EndashError if it cannot be written."""
    return write_whole(path, latent_page(space).encode("utf-8", "backslashreplace"))


def latent_page(space: LatentSpace) -> str:
    """The page of `space`, as HTML."""
    data = {
        "texts": space.texts,
        "places": np.round(space.places.astype(np.float64), 4).tolist(),
        "kl": np.round(space.kl.astype(np.float64), 4).tolist(),
        "active": (space.variance > ACTIVE).tolist(),
    }
    parts = {
        "title": html.escape(f"Latent space · {space.model}"),
        "lead": html.escape(_lead(space)),
        "style": scale_css() + asset("page.css") + asset("latent.css"),
        "data": script_json(data),
        "script": asset("latent.js"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], asset("latent.html"))


def write_latent_png(space: LatentSpace, path: str | os.PathLike[str]) -> Path:
    """Draw `space` and write it to `path`, whole or not at all.

    Raises EndashError if matplotlib is not installed or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise EndashError("a picture as PNG needs matplotlib: pip install 'endash[pictures]'") from problem
    named = spread_out(space, _LABELLED)
    fonts = find_fonts("".join(space.texts[n] for n in named))
    figure = Figure(figsize=(11, 10), facecolor="white", layout="constrained")
    points, bars = figure.subplots(2, 1, height_ratios=(5, 1))
    points.scatter(*space.places.T, s=14, color=scale("light")[LEVELS * 2 // 3], alpha=0.7, linewidths=0)
    for n in named:
        text = fonts.clip(space.texts[n], 7, 150)
        points.annotate(text, space.places[n], (3, 3), textcoords="offset points", size=7, family=list(fonts.families), parse_math=False)  # fmt: skip
    points.set_title(f"{space.model}: {_lead(space)}", size=10, loc="left", parse_math=False)
    points.set(xlabel=_axis(space, 0), ylabel=_axis(space, 1))
    order = np.argsort(-space.kl, kind="stable")
    bars.bar(range(len(order)), space.kl[order], color=scale("light")[LEVELS // 2])
    bars.set(xlabel="dimension, from the one that tells most", ylabel="KL, nats", xlim=(-0.6, len(order) - 0.4))
    for axes in (points, bars):
        axes.spines[["top", "right"]].set_visible(False)
    written = io.BytesIO()
    with silence():
        figure.savefig(written, format="png", dpi=160, metadata={"Software": "endash"})
    return write_whole(path, written.getvalue())


def spread_out(space: LatentSpace, count: int) -> list[int]:
    """Up to `count` texts whose places are far from each other: each the one furthest from all before it."""
    if len(space.texts) <= count:
        return list(range(len(space.texts)))
    chosen = [int(np.square(space.places).sum(1).argmax())]
    distance = np.square(space.places - space.places[chosen[0]]).sum(1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.square(space.places - space.places[chosen[-1]]).sum(1))
    return chosen


def _lead(space: LatentSpace) -> str:
    return (
        f"{len(space.texts):,} texts; KL {space.kl.sum():.1f} nats a text; "
        f"{space.active} of {len(space.kl)} dimensions active"
    )


def _axis(space: LatentSpace, number: int) -> str:
    return f"principal component {number + 1} ({space.shares[number]:.0%} of the variance)"
