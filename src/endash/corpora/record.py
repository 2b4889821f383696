"""What every reader gives: a record, or the line it could not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from endash.corpora.media import Media


@dataclass(frozen=True, slots=True)
class Record:
    """A source and its target, as they stand in the file.

    Attributes:
        source: the text; or what stands for it: the name of a file, the words with spaces between, the turns a line each.
        target: the text, or the first of `targets`.
        where: which record it is: ``file:line``, or ``file#unit`` where a format numbers units and not lines.
        sources: the parts of a source that has several: premise and hypothesis, words, turns. Else empty.
        targets: all that is right, where that is more than one text, or a tag for each word. Else empty.
        key: what decides which part of a split the record is in; if empty, that is the letters of the source.
        media: the file that the source names, if it names one, or what was read of it.
        family: which prompt made the source, if one did.
    """

    source: str
    target: str
    where: str = ""
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    key: str = ""
    media: Media | NDArray[Any] | None = None
    family: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What the source consists of: one text, or several."""
        return self.sources or (self.source,)

    @property
    def references(self) -> tuple[str, ...]:
        """Each target that is right: one, or several."""
        return self.targets or (self.target,)


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
