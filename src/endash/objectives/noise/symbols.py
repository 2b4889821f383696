"""What noise has to know of a vocabulary. Shapes: N tokens of a text, V tokens of the vocabulary, S sentinels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endash.text.tokenizer import FIRST_SLOT, UNK, Tokenizer

_CLOSING = r"""["'”’“»)\]}」』】）》〉]"""  # what may stand between a stop and the end of its sentence
_CLOSES = re.compile(rf"{_CLOSING}+$")
_STOP = re.compile(rf"[.!?…؟।॥۔]{_CLOSING}*$")  # a sentence ends where a space follows
_WIDE_STOP = re.compile(rf"[。！？｡]{_CLOSING}*$")  # and here in any case
_SPACE = "\u2581"  # sentencepiece's sign for a space


@dataclass(frozen=True)
class Symbols:
    """The tokens that stand for what is missing, and those by which sentences are told apart.

    Attributes:
        sentinels: (S,) the slots of placeholders, the last one first, for a text fills them from the first one on.
        mask: the token that no text is spelled with.
        stops: (V,) 1 for tokens that end a sentence if a space follows, 2 for those that end one in any case, else 0.
        closing: (V,) True for brackets and quotation marks, which belong to the sentence that ended before them.
        spaced: (V,) True for tokens that begin with a space.
    """

    sentinels: NDArray[np.int64]
    mask: int
    stops: NDArray[np.int8]
    closing: NDArray[np.bool_]
    spaced: NDArray[np.bool_]

    @classmethod
    def of(cls, vocabulary: Tokenizer) -> Self:
        """Those of a vocabulary; it has no sentinels if it has no slots."""
        pieces = vocabulary.pieces(range(len(vocabulary)))
        return cls(
            np.arange(FIRST_SLOT, FIRST_SLOT + vocabulary.slots)[::-1],
            UNK,
            np.array([_stop(piece) for piece in pieces], dtype=np.int8),
            np.array([_CLOSES.match(piece) is not None for piece in pieces]),
            np.array([piece.startswith(_SPACE) for piece in pieces]),
        )

    def free_sentinels(self, tokens_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sentinels behind the last slot that a placeholder of the text itself fills, the last one first."""
        own = tokens_N[tokens_N <= self.sentinels.max(initial=0)]
        free: NDArray[np.int64] = self.sentinels[self.sentinels > own.max(initial=0)]
        return free

    def sentences(self, tokens_N: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The text's sentences, at least one; by full stops alone, so that an abbreviation may end one."""
        stops_N, closing_N = self.stops[tokens_N], self.closing[tokens_N]
        for place in np.flatnonzero(closing_N[1:]) + 1:
            stops_N[place] = stops_N[place - 1]
        ends = ~closing_N[1:] & ((stops_N[:-1] == 2) | ((stops_N[:-1] == 1) & self.spaced[tokens_N[1:]]))
        return np.split(tokens_N, np.flatnonzero(ends) + 1)


def _stop(piece: str) -> int:
    return 2 if _WIDE_STOP.search(piece) else int(_STOP.search(piece) is not None)
