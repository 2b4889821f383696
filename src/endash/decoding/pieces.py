"""A text too long for a model, worked on in pieces, and what was written for them put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from endash.decoding.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of text number `row` that a model takes at once, what stands before it, and the white space behind it."""

    row: int
    before: str
    text: str
    separator: str


def pieces(row: int, split: Iterable[tuple[str, str]]) -> Iterator[Piece]:
    """The pieces of text number `row`, split into texts and what separates each from the next."""
    before = ""
    for text, separator in split:
        yield Piece(row, before, text, separator)
        before += text + separator


def append(so_far: list[Hypothesis], found: list[Hypothesis], piece: Piece) -> list[Hypothesis]:
    """Hypotheses of a text after one more piece: the first piece's n-best, or from the second on the best of each joined."""
    if not so_far:
        return [replace(one, text=one.text + piece.separator) for one in found]
    first, best = so_far[0], found[0]
    source, target = _words(piece.before), _words(first.text)
    return [
        Hypothesis(
            first.text + best.text + piece.separator,
            first.score + best.score,
            first.tokens + best.tokens,
            first.alignment + tuple((i + source, j + target) for i, j in best.alignment),
        )
    ]


def _words(before: str) -> int:
    """How many words have ended where this text ends."""
    return len(f"{before}x".split()) - 1
