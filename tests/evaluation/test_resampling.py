from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.evaluation import resampling
from endash.evaluation.resampling import interval, p_value, resampled, shuffled


def mean(sums):
    return sums[:, 0] / sums[:, 1]


def shares(*right):
    return np.array([(one, 1) for one in right], dtype=np.float64)


def test_a_resample_is_a_sum_of_records_drawn_with_replacement():
    statistics = np.array([[1.0, 10.0], [100.0, 1000.0], [1e4, 1e5]])
    random = np.random.default_rng(resampling.SEED)
    by_hand = [sum(statistics[record] for record in random.integers(3, size=3)) for _ in range(20)]
    assert np.array_equal(resampled(statistics, 20), by_hand)


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    statistics = np.random.default_rng(1).random((30, 4))
    whole = resampled(statistics), shuffled(mean, statistics, statistics[::-1], trials=99)
    monkeypatch.setattr(resampling, "_DRAWN", 70)
    assert np.array_equal(resampled(statistics), whole[0])
    assert np.allclose(shuffled(mean, statistics, statistics[::-1], trials=99), whole[1], rtol=0, atol=1e-12)


def test_the_interval_of_a_share_is_that_of_the_binomial():
    low, high = interval(mean, shares(*[1] * 700, *[0] * 300))
    half = 1.96 * (0.7 * 0.3 / 1000) ** 0.5
    # 1,000 resamples give a bound to about a tenth of the interval
    assert (low, high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.006)


def test_what_never_varies_has_an_interval_of_no_width():
    assert interval(mean, shares(1, 1, 1)) == (1.0, 1.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=8))
def test_p_is_the_share_of_swaps_with_as_large_a_difference(pairs):
    a, b = (shares(*side) for side in zip(*pairs, strict=True))
    real = abs(a[:, 0].sum() - b[:, 0].sum())
    swaps = list(product((False, True), repeat=len(pairs)))
    as_large = 0
    for swap in swaps:
        difference = sum((y - x) if other else (x - y) for (x, y), other in zip(pairs, swap, strict=True))
        as_large += abs(difference) >= real
    # 4,000 trials: the standard error of a share is below 0.008
    assert p_value(mean, a, b, trials=4000) == pytest.approx(as_large / len(swaps), abs=0.035)


def test_equal_systems_have_a_p_of_one_and_no_system_has_one_of_zero():
    one = shares(1, 0, 1, 1)
    assert p_value(mean, one, one, trials=200) == 1.0
    assert p_value(mean, shares(*[1] * 60), shares(*[0] * 60), trials=200) == 1 / 201


def test_p_keeps_its_word():
    """Of pairs of systems that are equally good, 5 % are held different at p < 0.05."""
    random = np.random.default_rng(3)
    found = [p_value(mean, shares(*random.integers(2, size=40)), shares(*random.integers(2, size=40)), trials=200) < 0.05 for _ in range(300)]  # fmt: skip
    assert np.mean(found) < 0.08
