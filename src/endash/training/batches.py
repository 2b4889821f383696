"""Batches of about as many tokens each, of rows of like lengths on both sides.

Shapes: N examples, F fields of an example (source, target, passages).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

_POOL = 2**18  # examples that are sorted together: bounds the memory, and the time before an epoch's first batch
_PADDING = 0.08  # the share of padding to come under …
_LIMITS = (1.0, 0.4, 0.3, 0.2, 0.15, 0.12, 0.1, 0.08)  # … by cutting batches with more than this share, in turn
_ROWS = 8  # the rows of a batch are a multiple: a product of a new shape is compiled anew, for half a millisecond
_LEAST_FILL = 0.25  # no cut leaves a half with less than this share of the tokens asked for


@dataclass(frozen=True, slots=True)
class Size:
    """Tokens of one or more batches: those that are real and those with padding, over all fields."""

    real: int = 0
    padded: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.real + other.real, self.padded + other.padded)

    @property
    def padding(self) -> float:
        """The share of positions that are padding, 0 to 1."""
        return 1 - self.real / self.padded if self.padded else 0.0


def size_of(lengths_NF: NDArray[Any]) -> Size:
    """The size of the batch that rows of these lengths make."""
    return Size(int(lengths_NF.sum()), len(lengths_NF) * int(lengths_NF.max(axis=0).sum()))


def epoch_batches(lengths_NF: NDArray[Any], *, batch_tokens: int, seed: int, epoch: int) -> Iterator[Rows]:
    """The rows of each batch of an epoch; every row is in just one.

    A batch has at most `batch_tokens` positions on its larger side, padding included (a longer row stands alone);
    passages count as source. Where it has more than 16 rows it has a multiple of 8. The same arguments give the same batches
    in the same order.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths_NF))
    for number, start in enumerate(range(0, len(order), _POOL)):
        rows = order[start : start + _POOL]
        random = np.random.default_rng([seed, epoch, number])
        lengths = np.asarray(lengths_NF[rows], dtype=np.int64)
        batches = _cut_to_padding(
            lengths, list(_filled(lengths, _striped(lengths, batch_tokens), batch_tokens)), batch_tokens
        )
        for index in random.permutation(len(batches)):
            yield rows[batches[index]]


def _striped(lengths: NDArray[Any], batch_tokens: int) -> Rows:
    """An order in which neighbours are alike on both sides.

    Stripes of like target length, each in the order of source length, up and down in turn so that a batch which reaches
    over two stripes is of one source length still. With passages, whose lengths follow the source's only loosely, stripes
    of like source and target, each in the order of the passages. Twice the square root of the number of batches, once with
    passages, was the best number of stripes on corpora of 9,000 to 30,000 pairs. Rows of equal lengths stay in the order
    they come in.
    """
    source, target, passages = lengths[:, 0], lengths[:, 1], lengths[:, 2:].sum(axis=1)
    first, second, times = (source + target, passages, 1) if passages.any() else (target, source, 2)
    by_first = np.lexsort((second, first))
    tokens = np.maximum(source + passages, target)[by_first].cumsum()
    stripes = max(1, round(times * (tokens[-1] / batch_tokens) ** 0.5))
    stripe = np.empty(len(lengths), dtype=np.int64)
    stripe[by_first] = np.minimum(tokens * stripes // tokens[-1], stripes - 1)
    return np.lexsort((first, np.where(stripe % 2 == 0, second, -second), stripe))


def _filled(lengths: NDArray[Any], order: Rows, batch_tokens: int) -> Iterator[Rows]:
    """`order` in runs that are as long as `batch_tokens` allows."""
    passages = lengths[order][:, [0, *range(2, lengths.shape[1])]]
    target = lengths[order, 1]
    start = 0
    while start < len(order):
        ahead = slice(start, start + batch_tokens)
        source = np.maximum.accumulate(passages[ahead]).sum(axis=1)
        larger = np.maximum(source, np.maximum.accumulate(target[ahead]))
        fits = int(np.searchsorted(larger * np.arange(1, len(larger) + 1), batch_tokens, side="right"))
        fits = max(1, fits - fits % _ROWS if fits > _ROWS else fits)
        yield order[start : start + fits]
        start += fits


def _cut_to_padding(lengths: NDArray[Any], full: list[Rows], batch_tokens: int) -> list[Rows]:
    """`full` with as few batches cut as brings the padding under 8 %, or as close to it as twice as many batches come.

    A corpus of few and very different lengths has too few rows of like lengths to fill its batches.
    """
    batches = full
    for limit in _LIMITS:
        parts = [part for batch in batches for part in _cut(lengths, batch, limit, batch_tokens * _LEAST_FILL)]
        if len(parts) > 2 * len(full):
            break
        batches = parts
        if sum((size_of(lengths[batch]) for batch in batches), start=Size()).padding < _PADDING:
            break
    return batches


def _cut(lengths: NDArray[Any], batch: Rows, limit: float, least: float) -> list[Rows]:
    """`batch`, or the parts it is cut in where more than `limit` of it is padding: each time where that saves the most."""
    if size_of(lengths[batch]).padding <= limit:
        return [batch]
    cuts = [
        _cheapest(lengths, batch[np.argsort(key[batch], kind="stable")], least) for key in (*lengths.T, lengths.sum(1))
    ]
    cost, first, second = min(cuts, key=lambda cut: cut[0])
    if cost == np.inf:
        return [batch]
    return _cut(lengths, first, limit, least) + _cut(lengths, second, limit, least)


def _cheapest(lengths: NDArray[Any], order: Rows, least: float) -> tuple[float, Rows, Rows]:
    """Where to cut `order` in two: the padded tokens of both halves (infinite if one would be too small), and them."""
    fields = lengths[order]
    upto = np.maximum.accumulate(fields).sum(axis=1)[:-1] * np.arange(1, len(order))
    after = np.maximum.accumulate(fields[::-1]).sum(axis=1)[:-1][::-1] * np.arange(1, len(order))[::-1]
    whole = np.arange(1, len(order)) % _ROWS == 0 if len(order) > 2 * _ROWS else True
    cost = np.where((np.minimum(upto, after) >= least) & whole, upto + after, np.inf)
    at = int(cost.argmin())
    return float(cost[at]), order[: at + 1], order[at + 1 :]
