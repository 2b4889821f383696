"""The record of a run: ``metrics.jsonl``, a line for each figure, and the same for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from endash.files import write_text
from endash.training.board import Board

Kind = Literal["train", "valid", "final"]


class Journal:
    """Writes the figures of a run that stands at step `step`; lines that a lost stretch wrote after it are cut.

    `warn` is told if TensorBoard's copy cannot be written. Raises OSError if the record itself cannot.
    """

    def __init__(self, folder: Path, *, step: int, warn: Callable[[str], None]) -> None:
        self.path = folder / "metrics.jsonl"
        kept = [json.dumps(row) + "\n" for row in read(self.path) if row["step"] <= step and row["kind"] != "final"]
        write_text(self.path, "".join(kept))
        self._lines = open(self.path, "a", encoding="utf-8")  # noqa: SIM115  (closed by __exit__)
        self._board = Board(folder / "tensorboard", step=step, warn=warn)

    def write(self, kind: Kind, step: int, figures: dict[str, Any]) -> None:
        """Add a line; figures that are None are left out."""
        known = {name: value for name, value in figures.items() if value is not None}
        self._lines.write(json.dumps({"kind": kind, "step": step, **known}) + "\n")
        self._lines.flush()
        scalars = {f"{kind}/{name}": value for name, value in known.items() if isinstance(value, int | float)}
        self._board.write(step, scalars)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._board.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``; none if it is missing. A last line that a crash cut short is left out."""
    rows = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
    return rows
