"""One self-contained HTML page of a `Look`: no network, no other files, nothing of the texts taken for markup."""

from __future__ import annotations

import html
import json
import os
import re
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endash.inspection.colours import LEVELS, scale_css
from endash.inspection.files import write_whole
from endash.inspection.look import Look, shown

WEIGHT_SCALE = 10_000
"""Weights and similarities are stored as whole ten-thousandths: a fifth of the bytes, finer than any colour."""


def write_page(look: Look, path: str | os.PathLike[str]) -> Path:
    """Write the page of `look` to `path`, whole or not at all. Raises EndashError if it cannot be written."""
    return write_whole(path, page(look).encode("utf-8", "backslashreplace"))


def page(look: Look) -> str:
    """The page of `look`, as HTML."""
    parts = {
        "title": html.escape(f"{_short(look.source)} → {_short(look.target)} · {look.model}"),
        "style": scale_css() + asset("page.css"),
        "data": script_json(page_data(look)),
        "script": "\n".join(asset(name) for name in ("draw.js", "alignment.js", "maps.js", "page.js")),
    }
    # One pass, so that no text that is put in can be taken for a place to put another in.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], asset("page.html"))


def page_data(look: Look) -> dict[str, Any]:
    """What the page's script draws from; `weights` are [layer][head][target × source] in units of 1 / `scale`."""
    segments = range(max(look.segments) + 1)
    return {
        "model": look.model,
        "link": look.link,
        "source": look.source,
        "target": look.target,
        "sourceTokens": [asdict(token) for token in shown(look.source_tokens)],
        "targetTokens": [asdict(token) for token in shown(look.target_tokens)],
        "segments": look.segments,
        "passages": [look.passage_label(segment) for segment in segments],
        "shares": [round(share, 4) for share in look.shares()],
        "score": look.score,
        "tokenScores": [round(score, 4) for score in look.token_scores],
        "scale": WEIGHT_SCALE,
        "levels": LEVELS,
        "layers": look.layers,
        "heads": look.heads,
        "weights": [[_whole(table) for table in layer] for layer in look.weights] if look.layers else [],
        "similarity": _whole(look.similarity),
        **{
            name: None if table is None else _whole(table)
            for name, table in (
                ("copied", look.copied),
                ("sourceSight", look.source_sight),
                ("targetSight", look.target_sight),
            )
        },
    }


def _whole(table: NDArray[np.float32]) -> list[int]:
    whole: list[int] = np.rint(table.astype(np.float64) * WEIGHT_SCALE).astype(int).ravel().tolist()
    return whole


def script_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in, nor begin a comment in it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:39] + "…"


def asset(name: str) -> str:
    """The text of a file in ``assets``."""
    return (files("endash.inspection") / "assets" / name).read_text(encoding="utf-8")
