from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.training.batches import Size, epoch_batches, size_of


def realistic(count: int, *, mean: float = 2.6, spread: float = 0.35, passages: int = 0) -> np.ndarray:
    """Lengths as of sentences: log-normal, the target's near the source's, a passage as long as both."""
    random = np.random.default_rng(0)
    source = random.lognormal(mean, spread, count)
    target = source * random.lognormal(0.05, 0.18, count)
    fields = [source, target, *((source + target) * random.lognormal(0, 0.2, count) for _ in range(passages))]
    return np.clip(np.stack(fields, 1).round().astype(np.int32) + 1, 1, 256)


def padding(lengths: np.ndarray, batch_tokens: int) -> float:
    batches = epoch_batches(lengths, batch_tokens=batch_tokens, seed=1, epoch=0)
    return sum((size_of(lengths[rows]) for rows in batches), start=Size()).padding


@pytest.mark.parametrize(
    ("lengths", "batch_tokens"),
    [
        pytest.param(realistic(29_000), 4096, id="captions"),
        pytest.param(realistic(29_000), 8192, id="captions, large batches"),
        pytest.param(realistic(9_000, spread=0.9), 4096, id="interface strings, few and of all lengths"),
        pytest.param(realistic(100_000, mean=3.3, spread=0.6), 8192, id="web text"),
        pytest.param(realistic(29_000, passages=1), 4096, id="captions with a passage"),
    ],
)
def test_padding_is_under_8_percent(lengths: np.ndarray, batch_tokens: int) -> None:
    assert padding(lengths, batch_tokens) < 0.08


def test_batches_are_full_where_lengths_allow_it() -> None:
    lengths = realistic(29_000)
    batches = list(epoch_batches(lengths, batch_tokens=4096, seed=1, epoch=0))
    assert len(batches) < 1.1 * lengths.max(1).sum() / 4096


def test_many_rows_are_a_multiple_of_eight() -> None:
    lengths = realistic(9_000, spread=0.9)  # batches are cut, too
    sizes = [len(rows) for rows in epoch_batches(lengths, batch_tokens=4096, seed=1, epoch=0)]
    assert max(sizes) > 100
    assert [size for size in sizes if size > 16 and size % 8] == []


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 40)), min_size=1, max_size=60),
    st.integers(1, 200),
)
def test_each_row_is_in_one_batch_of_no_more_than_the_tokens_asked_for(
    rows: list[tuple[int, int, int]], batch_tokens: int
) -> None:
    lengths = np.array(rows, dtype=np.int32)
    batches = list(epoch_batches(lengths, batch_tokens=batch_tokens, seed=3, epoch=1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(rows)))
    for batch in batches:
        source, target, passage = lengths[batch].max(0)
        assert len(batch) == 1 or len(batch) * max(source + passage, target) <= batch_tokens


def test_an_epoch_is_a_function_of_seed_and_epoch() -> None:
    lengths = realistic(2_000)

    def epoch(seed: int, number: int) -> list[list[int]]:
        return [rows.tolist() for rows in epoch_batches(lengths, batch_tokens=500, seed=seed, epoch=number)]

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(1, 1)
    assert epoch(1, 0) != epoch(2, 0)
    # Not only the order of the batches differs, but who is in one with whom.
    assert {tuple(sorted(rows)) for rows in epoch(1, 0)} != {tuple(sorted(rows)) for rows in epoch(1, 1)}


def test_a_pool_bounds_what_is_sorted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = realistic(1_000)
    monkeypatch.setattr("endash.training.batches._POOL", 300)
    batches = list(epoch_batches(lengths, batch_tokens=500, seed=1, epoch=0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1_000))


def test_size() -> None:
    size = size_of(np.array([[3, 2], [1, 4]]))
    assert (size.real, size.padded, size.padding) == (10, 14, pytest.approx(4 / 14))
    assert Size().padding == 0
