"""What every reader gives: a record, or the line it could not read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A source text and its target, as they stand in the file.

    `where` says which record it is: ``file:line``, or ``file#unit`` where a format numbers units and not lines.
    """

    source: str
    target: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line or unit that holds no pair. `reason` says why; `text` is the beginning of what stands there."""

    where: str
    reason: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f": {self.text!r}" if self.text else "")


def excerpt(text: str, length: int = 60) -> str:
    """The first `length` characters of `text`, marked with … when more follow."""
    return text if len(text) <= length else text[: length - 1] + "…"
