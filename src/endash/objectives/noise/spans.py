"""Random stretches of a text. Shapes: N tokens of a text, K spans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def drawn_count(expected: float, random: np.random.Generator) -> int:
    """`expected` rounded up or down at random so that it is the mean, but at least 1: a share of many short texts comes out as asked."""
    return max(1, int(expected + random.random()))


def random_parts(total: int, parts: int, random: np.random.Generator) -> Counts:
    """(parts,) counts of at least 1 that add up to `total`, each such row of counts as likely as any other."""
    edges = np.zeros(parts + 1, dtype=np.int64)
    edges[1:-1] = np.sort(random.permutation(total - 1)[: parts - 1]) + 1
    edges[-1] = total
    return edges[1:] - edges[:-1]


def poisson_parts(total: int, mean: float, random: np.random.Generator) -> Counts:
    """Poisson counts drawn until they add up to `total`, which the last one drawn is cut to, in a random order.

    Some are 0, but never so many that there are more than `total` counts.
    """
    drawn = random.poisson(mean, total)
    while drawn.sum() < total:
        drawn = np.concatenate([drawn, random.poisson(mean, total)])
    sums = drawn.cumsum()
    last = int(np.searchsorted(sums, total))
    counts = drawn[: last + 1]
    counts[last] -= sums[last] - total
    empty = counts == 0
    spare = total - int((~empty).sum())
    return random.permutation(counts[~empty | (empty.cumsum() <= spare)])


def placed(
    lengths_K: Counts, count: int, random: np.random.Generator, *, apart: bool
) -> tuple[NDArray[np.bool_], Counts]:
    """Where spans of these lengths, in this order, stand in a text of `count` tokens: each place as likely as any other.

    Gives (N,) True inside of a span, and (K,) how many tokens outside of them stand before each. `apart`: a token at least
    stands between two, for which K - 1 have to be left.
    """
    kept, spans = count - int(lengths_K.sum()), len(lengths_K)
    least = np.full(spans + 1, 0 if apart else 1)
    least[[0, -1]] = 1  # of what `random_parts` makes at least 1, as much may be 0
    gaps = random_parts(kept + int(least.sum()), spans + 1, random) - least
    both = np.zeros(2 * spans + 1, dtype=np.int64)
    both[::2], both[1::2] = gaps, lengths_K
    return np.repeat(np.arange(2 * spans + 1) % 2 == 1, both), gaps[:-1].cumsum()
