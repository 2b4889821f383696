"""What search finds, in tokens, and what a model makes of it, in text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from endash.text.codec import Codec


@dataclass(frozen=True, slots=True)
class Found:
    """One target that a search found.

    `tokens` has neither beginning nor end of sentence. `score` is the sum of the log-probabilities of the tokens and, when
    `finished`, of the end of sentence. `normalised` is ``score / length ** length_penalty``, by which a beam search ranks;
    the length counts the end of sentence. A target cut at its maximum length is not `finished`. `read`, where it was asked for,
    is what each token and the end read of each source position, row after row: the mean over the link's layers and heads.
    """

    tokens: tuple[int, ...]
    score: float
    normalised: float
    finished: bool
    read: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One target as a user sees it: its text, its score (log-probability), its tokens and its alignment.

    `alignment` holds (source word, target word) links, words being what white space separates, counted from 0.
    """

    text: str
    score: float
    tokens: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(
        cls,
        found: Found,
        codec: Codec,
        placeholders: Sequence[str],
        alignment: tuple[tuple[int, int], ...] = (),
        *,
        scored: bool = True,
    ) -> Self:
        """What was found for a source with these placeholders; without its tokens where they and the score are not looked at."""
        tokens = tuple(codec.target.pieces(found.tokens, placeholders)) if scored else ()
        return cls(codec.decode_target(found.tokens, placeholders), found.score, tokens, alignment)
