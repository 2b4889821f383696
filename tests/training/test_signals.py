from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from endash.errors import ModelError, TrainingError
from endash.example import Example
from endash.training.batching import make_batch
from endash.training.examples import Examples

SAMPLES = arrays(np.int16, st.integers(0, 9))
PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4), st.just(3)))
FEATURES = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(2)), elements=st.floats(-9, 9, width=32))
KINDS = {"samples": SAMPLES, "pixels": PIXELS, "features": FEATURES}
HERE = torch.device("cpu")


def write(
    folder: Path, sources: list[NDArray[Any]], *, positions: Callable[[tuple[int, ...]], int] = lambda shape: shape[0]
) -> Examples:
    examples = [Example(source, [7 + row, 3]) for row, source in enumerate(sources)]
    return Examples.write(folder, examples, passages=0, vocabulary=99, fingerprint="x", positions=positions)


@pytest.mark.parametrize("kind", list(KINDS))
@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    sources = data.draw(st.lists(KINDS[kind], max_size=6))
    stored = write(tmp_path / "examples", sources)
    assert len(stored) == len(sources)
    for row, (found, wanted) in enumerate(zip(stored, sources, strict=True)):
        assert found.source.dtype == wanted.dtype
        assert np.array_equal(found.source, wanted)
        assert found.target == [7 + row, 3]


def test_a_source_counts_as_the_positions_that_the_network_makes_of_it(tmp_path: Path) -> None:
    sources = [np.zeros(size, np.int16) for size in (40, 9)]
    stored = write(tmp_path / "examples", sources, positions=lambda shape: shape[0] // 4)
    assert stored.lengths.tolist() == [[10, 2], [2, 2]]
    assert stored.padded(np.array([1, 0]))[1].tolist() == [[8, 3], [7, 3]]


def test_one_picture_of_several_captions_is_stored_once(tmp_path: Path) -> None:
    picture, other = (np.full((2, 3, 3), value, np.uint8) for value in (5, 9))
    stored = write(tmp_path / "examples", [picture, picture, other, picture])
    assert (tmp_path / "examples" / "signals" / "values.bin").stat().st_size == 3 * 18
    assert [one.source[0, 0, 0] for one in stored] == [5, 5, 9, 5]


def test_samples_in_a_batch(tmp_path: Path) -> None:
    stored = write(tmp_path / "examples", [np.array([1, -(2**15)], np.int16), np.array([2**14], np.int16)])
    batch = make_batch(stored, np.array([1, 0]), HERE)
    assert batch.source.values.tolist() == [[0.5, 0], [2**-15, -1]]
    assert batch.source.mask.tolist() == [[True, False], [True, True]]
    assert batch.target.tolist() == [[8, 3], [7, 3]]


def test_pixels_in_a_batch(tmp_path: Path) -> None:
    """Colours come first there, and the smaller picture stands in the upper left."""
    small, large = np.full((1, 2, 3), 51, np.uint8), np.zeros((2, 1, 3), np.uint8)
    large[1, 0] = 255, 102, 0
    batch = make_batch(write(tmp_path / "examples", [small, large]), np.array([0, 1]), HERE)
    assert batch.source.values.shape == (2, 3, 2, 2)
    torch.testing.assert_close(batch.source.values[0], torch.tensor([[[0.2, 0.2], [0, 0]]] * 3))
    torch.testing.assert_close(batch.source.values[1, :, 1, 0], torch.tensor([1, 0.4, 0]))
    assert batch.source.mask.tolist() == [[[True, True], [False, False]], [[True, False], [True, False]]]


def test_features_in_a_batch(tmp_path: Path) -> None:
    sources = [np.array([[1.5, 2], [3, 4]], np.float32), np.array([[5, 6]], np.float32)]
    batch = make_batch(write(tmp_path / "examples", sources), np.array([0, 1]), HERE)
    assert batch.source.values.tolist() == [[[1.5, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert batch.source.mask.tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        ([np.zeros(3)], ModelError, r"array of 1 dimensions of float64: give samples \(N\) of int16, pixels"),
        ([np.zeros((1, 1, 1, 1), np.uint8)], ModelError, "array of 4 dimensions of uint8"),
        (
            [np.zeros(3, np.int16), np.zeros(3, np.uint8)],
            TrainingError,
            r"array of uint8 .* another one is of int16 with",
        ),
        (
            [np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)],
            TrainingError,
            r"shape \(2, 4\), and .* shape \(2, 3\): give all",
        ),
    ],
)
def test_sources_of_no_kind_or_of_several_are_refused(
    tmp_path: Path, sources: list[NDArray[Any]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        write(tmp_path / "examples", sources)
    assert list(tmp_path.iterdir()) == []


def test_not_whole_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    write(folder, [np.zeros(3, np.int16)])
    assert Examples.stored(folder, "x") is not None
    with open(folder / "signals" / "values.bin", "ab") as file:
        file.write(b"\0")
    assert Examples.stored(folder, "x") is None
    (folder / "signals" / "values.bin").unlink()
    assert Examples.stored(folder, "x") is None


def test_places_stand_beside_the_labels_of_words(tmp_path: Path) -> None:
    examples = [Example([5, 6, 7, 3], [8, 9], (), (1, 3)), Example([5, 3], [9], (), (1,))]
    stored = Examples.write(tmp_path / "a", examples, passages=0, vocabulary=99, fingerprint="x", places=True)
    assert list(stored) == examples
    assert stored.lengths.tolist() == [[4, 2], [2, 1]]  # they are no source, and no targets
    batch = make_batch(stored, np.array([1, 0]), HERE)
    assert batch.source.tolist() == [[5, 3, 0, 0], [5, 6, 7, 3]]
    assert batch.target.tolist() == [[9, 0], [8, 9]]
    assert batch.places is not None
    assert batch.places.tolist() == [[1, 0], [1, 3]]
