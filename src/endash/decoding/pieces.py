"""A text too long for a model, worked on in pieces, and what was written for them put together again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from endash.decoding.hypothesis import Hypothesis
from endash.errors import LongTextError, TextError

Cut: TypeAlias = Callable[[str], Iterable[tuple[str, str]]]
"""Parts of a text that fit a model, each with what separates it from the next, as `Codec.split_source` gives them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of text number `row` that a model takes at once, what stands before it, and the white space behind it."""

    row: int
    before: str
    text: str
    separator: str


Decode: TypeAlias = Callable[[list["Piece"]], Iterator[tuple[Sequence[int], list[list[Hypothesis]]]]]
"""From pieces to the places of some of them with the hypotheses of each, until all have theirs."""


def translate(
    texts: Sequence[str], cut: Cut, decode: Decode, *, progress: Callable[[int], None] | None = None
) -> list[list[Hypothesis]]:
    """Up to n_best hypotheses for each text, in the order of the texts; what is blank stays as it is.

    `progress` is called with the number of texts that were finished since the last call. Raises TextError.
    """
    everything = split(texts, cut)
    found = [[Hypothesis(piece.text, 0.0, ())] for piece in everything]
    spoken = [i for i, piece in enumerate(everything) if piece.text.strip()]
    left = Counter(everything[i].row for i in spoken)
    done = len(texts) - len(left)
    for places, decoded in decode([everything[i] for i in spoken]):
        for place, hypotheses in zip(places, decoded, strict=True):
            found[spoken[place]] = hypotheses
        rows = [everything[spoken[place]].row for place in places]
        left.subtract(rows)
        if progress is not None:
            progress(done + sum(left[row] == 0 for row in set(rows)))
        done = 0
    results: list[list[Hypothesis]] = [[] for _ in texts]
    for piece, hypotheses in zip(everything, found, strict=True):
        results[piece.row] = append(results[piece.row], hypotheses, piece)
    return results


def split(texts: Sequence[str], cut: Cut) -> list[Piece]:
    """The pieces of all texts. Raises LongTextError for the first that a model does not take, and TextError for what is no list."""
    check_list(texts)
    found: list[Piece] = []
    for row, text in enumerate(texts):
        try:
            found += pieces(row, cut(text))
        except TextError as error:
            raise LongTextError(row, str(error)) from None
    return found


def prefixes_of(some: Sequence[Piece], prefixes: Sequence[str] | None) -> list[str] | None:
    """The prefix of each piece; None where no text has one. Raises TextError for a prefix of a text that is worked on in pieces."""
    if prefixes is None or not any(map(str.strip, prefixes)):
        return None
    count = Counter(piece.row for piece in some)
    for row, prefix in enumerate(prefixes):
        if prefix.strip() and count[row] > 1:
            raise LongTextError(
                row,
                "the text is longer than the model takes at once, so its target cannot be begun: give it a sentence each",
            )
    return [prefixes[piece.row] for piece in some]


def check_prefixes(texts: Sequence[str], prefixes: Sequence[str] | None) -> None:
    """Raise TextError unless there are as many prefixes as texts, or none."""
    if prefixes is not None and len(prefixes) != len(texts):
        raise TextError(
            f"{len(texts)} texts and {len(prefixes)} prefixes: give one for each, an empty one where there is none"
        )


def check_list(texts: Sequence[str]) -> None:
    """Raise TextError for one text in place of many."""
    if isinstance(texts, str):
        raise TextError(f"a list of texts is needed, and this is one text: write [{texts[:40]!r}]")


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
