"""The learning curves of a run: what its ``metrics.jsonl`` holds, figure by figure."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endash.errors import CorpusError

Points = tuple[tuple[int, float], ...]
"""(step, figure), by step; figures that are not finite have no place in a curve."""

_NO_FIGURES = frozenset({"kind", "step", "epoch", "seconds"})


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure of the valid part after so many steps, and of the training batches where they have it too."""

    name: str
    valid: Points
    train: Points = ()


def read_curves(path: str | os.PathLike[str]) -> tuple[Curve, ...]:
    """The curves of every figure of the valid part in a ``metrics.jsonl``; a last line that a crash cut short is left out.

    Raises CorpusError if there is no such file, or nothing in it.
    """
    rows = _rows(Path(path))
    found = {kind: _points(rows, kind) for kind in ("train", "valid")}
    names = found["valid"] or {"loss": ()}
    curves = (Curve(name, found["valid"].get(name, ()), found["train"].get(name, ())) for name in names)
    kept = tuple(curve for curve in curves if curve.valid or curve.train)
    if not kept:
        raise CorpusError(f"{path} holds no figure of training: give the metrics.jsonl of a run that has begun")
    return kept


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise CorpusError(f"{path}: there is no such file; a run writes its figures to metrics.jsonl") from None
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _points(rows: list[dict[str, Any]], kind: str) -> dict[str, Points]:
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.get("kind") == kind:
            for name, value in row.items():
                if name not in _NO_FIGURES and isinstance(value, int | float) and math.isfinite(value):
                    found.setdefault(name, {})[int(row["step"])] = float(value)
    return {name: tuple(sorted(points.items())) for name, points in found.items()}
