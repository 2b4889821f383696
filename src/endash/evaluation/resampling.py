"""How sure a figure is: bootstrap intervals, and the p-value of a difference between two systems on the same records.

Both work on statistics of records that add up to a figure, so that no answer is looked at twice. N records, K statistics a
record, R resamples or trials; `values` turns sums (R, K) into figures (R,) or (R, …). The seed is fixed: the same input
gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Values = Callable[[Floats], Floats]

RESAMPLES = 1000
"""Bootstrap resamples behind an interval, the figure that WMT uses."""
TRIALS = 10_000
"""Shuffles behind a p-value, the figure that sacrebleu uses."""
SEED = 12345

_DRAWN = 2**22  # places of records that are drawn at a time


def resampled(statistics: Floats, resamples: int = RESAMPLES) -> Floats:
    """Sums (R, K) of `resamples` draws of N records with replacement, from statistics (N, K) (Efron 1979)."""
    random = np.random.default_rng(SEED)
    count = len(statistics)
    sums = []
    for rows in _blocks(resamples, count):
        drawn = random.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        sums.append(times.astype(np.float64) @ statistics)
    return np.concatenate(sums)


def interval(values: Values, statistics: Floats) -> tuple[float, float]:
    """The bounds between which 95 % of the figures of resamples lie (percentile bootstrap)."""
    low, high = np.quantile(values(resampled(statistics)), (0.025, 0.975))
    return float(low), float(high)


def shuffled(values: Values, a: Floats, b: Floats, *, trials: int, seed: int | None = SEED) -> Floats:
    """The difference (R,), without its sign, of two systems whose answers to each record are swapped or not by chance."""
    # Drawn at once, for booleans drawn in parts would be others than those that sacrebleu draws.
    swapped = np.random.default_rng(seed).integers(2, size=(trials, len(a)), dtype=bool)
    total = a.sum(axis=0) + b.sum(axis=0)
    found, start = [], 0
    for rows in _blocks(trials, len(a)):
        one = swapped[start : start + rows].astype(np.float64) @ (a - b) + b.sum(axis=0)
        found.append(np.abs(values(one) - values(total - one)))
        start += rows
    return np.concatenate(found)


def p_value(values: Values, a: Floats, b: Floats, *, trials: int = TRIALS) -> float:
    """How likely a difference at least this large would be if the two systems were equally good.

    Paired approximate randomisation, two-sided (Noreen 1989; Riezler & Maxwell 2005): the share of `trials` shuffles whose
    difference is as large, the systems' own counted in, so that it is never 0. For statistics (N, K) of both systems.
    """
    real = abs(float(values(a.sum(axis=0)[None])[0] - values(b.sum(axis=0)[None])[0]))
    least = real - 1e-9 * max(real, 1.0)  # sums in another order differ in their last digits
    return float((np.sum(shuffled(values, a, b, trials=trials) >= least) + 1) / (trials + 1))


def _blocks(rows: int, count: int) -> Iterator[int]:
    """So many rows of `count` at a time that memory stays small; they add up to `rows`."""
    most = max(1, _DRAWN // max(count, 1))
    for start in range(0, rows, most):
        yield min(most, rows - start)
