"""All there is to see of one translated sentence: tokens, weights, similarity and scores, as plain arrays.

L layers, H heads, T target tokens, S source positions (of all joined parts of the memory).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endash.errors import EndashError

Floats = NDArray[np.float32]
_SPECIAL = re.compile("<(?:pad|unk|s|/s|sep|0x[0-9A-F]{2})>")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a model did with one source.

    `weights` (L, H, T, S) are the link's, (0, 0, T, S) for a link that has none; `similarity` (S, S) is the cosine of each two
    memory states. `source_sight` (S, S) and `target_sight` (T, T) say whether a position, in its row, sees a token; None where it
    was not asked. `copied` (T, S) is the probability that a token is a copy of each position, None for a model that copies nothing.
    `segments` says which part of the memory a position comes from: 0 is the source, 1, 2, … are joined
    passages, such as a translation-memory match, labelled by `passages`. `score` and `token_scores` (T) are log-probabilities.
    Arrays may be given as nested lists. Raises EndashError if the parts do not fit together.
    """

    source: str
    target: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    weights: Floats
    similarity: Floats
    segments: tuple[int, ...]
    score: float
    token_scores: tuple[float, ...]
    link: str
    model: str
    passages: tuple[str, ...] = ()
    copied: Floats | None = None
    source_sight: Floats | None = None
    target_sight: Floats | None = None

    def __post_init__(self) -> None:
        optional = ("copied", "source_sight", "target_sight")
        tables = ("weights", "similarity", *(name for name in optional if getattr(self, name) is not None))
        for name in tables:
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float32))
        sources, targets = len(self.source_tokens), len(self.target_tokens)
        if not sources or not targets:
            raise EndashError(
                f"{sources} source and {targets} target tokens to look at: there must be at least one of each"
            )
        _fit("weights", self.weights.shape[-2:], (targets, sources), "(…, target, source)")
        _fit("weights", (self.weights.ndim,), (4,), "dimensions (layers, heads, target, source)")
        _fit("similarity", self.similarity.shape, (sources, sources), "(source, source)")
        if self.copied is not None:
            _fit("copied", self.copied.shape, (targets, sources), "(target, source)")
        if self.source_sight is not None:
            _fit("source_sight", self.source_sight.shape, (sources, sources), "(source, source)")
        if self.target_sight is not None:
            _fit("target_sight", self.target_sight.shape, (targets, targets), "(target, target)")
        _fit("segments", (len(self.segments),), (sources,), "one for each source token")
        _fit("token_scores", (len(self.token_scores),), (targets,), "one for each target token")
        if min(self.segments) < 0 or (self.passages and len(self.passages) != max(self.segments)):
            raise EndashError(
                f"{len(self.passages)} passages for segments {sorted(set(self.segments))}: 0 is the source, 1, 2, … need a label each"
            )
        for name in (*tables, "score", "token_scores"):
            if not np.isfinite(getattr(self, name)).all():
                raise EndashError(f"{name} holds a number that is not finite: the model that wrote it is broken")

    @property
    def layers(self) -> int:
        """How many of the decoder's layers have weights; 0 for a link without."""
        return int(self.weights.shape[0]) if self.weights.shape[1] else 0

    @property
    def heads(self) -> int:
        """How many heads each layer has; 0 for a link without weights."""
        return int(self.weights.shape[1]) if self.layers else 0

    def mean_weights(self) -> Floats:
        """The mean over layers and heads, (T, S); zeros for a link without weights."""
        if not self.layers:
            return np.zeros(self.weights.shape[-2:], dtype=np.float32)
        mean: Floats = self.weights.mean(axis=(0, 1))
        return mean

    def shares(self) -> list[float]:
        """How much of all the weight each segment got, from segment 0 on; it sums to 1 unless the link has no weights."""
        mean, segments = self.mean_weights(), np.asarray(self.segments)
        total = float(mean.sum()) or 1.0
        return [float(mean[:, segments == k].sum()) / total for k in range(int(segments.max()) + 1)]

    def passage_label(self, segment: int) -> str:
        """What stands beside a part of the memory."""
        if segment == 0:
            return "source"
        return self.passages[segment - 1] if self.passages else f"joined passage {segment}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as pictures show it: `label` is what can be seen of it, `start` whether a word begins, `special` no text."""

    token: str
    label: str
    start: bool
    special: bool


def shown(tokens: Sequence[str]) -> list[Shown]:
    """How tokens are shown: without the mark of a word's start, with signs for what cannot be seen."""
    specials = [_SPECIAL.fullmatch(token) is not None for token in tokens]
    return [
        Shown(token, _label(token), start=token.startswith("▁") or special, special=special)
        for token, special in zip(tokens, specials, strict=True)
    ]


def _label(token: str) -> str:
    if not token.strip("▁ "):
        return "␣" * max(1, len(token))
    return "".join(_visible(character) for character in token.removeprefix("▁").replace("▁", " "))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return {"\n": "⏎", "\t": "⇥"}.get(character, chr(0x2400 + code))  # the rest has control pictures, ␀ for NUL
    return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= code < 0xE000 or code == 0x7F else character


def _fit(name: str, found: tuple[int, ...], wanted: tuple[int, ...], meaning: str) -> None:
    if found != wanted:
        raise EndashError(f"{name} is {found} where {wanted} is needed: {meaning}")
