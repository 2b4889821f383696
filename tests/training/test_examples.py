from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endash.example import Example
from endash.training.examples import Examples

TOKENS = st.lists(st.integers(1, 99), min_size=1, max_size=6)


def write(folder: Path, examples: list[Example], *, passages: int = 1, vocabulary: int = 100) -> Examples:
    return Examples.write(folder, examples, passages=passages, vocabulary=vocabulary, fingerprint="x")


@given(st.lists(st.builds(Example, TOKENS, TOKENS, st.tuples(st.lists(st.integers(1, 99), max_size=4))), max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, examples: list[Example]) -> None:
    stored = write(tmp_path / "examples", examples)
    assert len(stored) == len(examples)
    assert list(stored) == examples


@pytest.mark.parametrize(("vocabulary", "size"), [(2**16, 2), (2**16 + 1, 4)])
def test_tokens_take_as_few_bytes_as_the_vocabulary_allows(tmp_path: Path, vocabulary: int, size: int) -> None:
    examples = [Example([vocabulary - 1, 3], [7, 3])]
    stored = write(tmp_path / "examples", examples, passages=0, vocabulary=vocabulary)
    assert stored[0] == examples[0]
    assert (tmp_path / "examples" / "tokens.bin").stat().st_size == 4 * size


def test_padded_rows(tmp_path: Path) -> None:
    stored = write(
        tmp_path / "examples",
        [Example([5, 6, 3], [7, 3], ([],)), Example([8, 3], [9, 9, 3], ([],)), Example([3], [3], ([1],))],
    )
    source, target, passage = stored.padded(np.array([1, 0]))
    assert source.tolist() == [[8, 3, 0], [5, 6, 3]]
    assert target.tolist() == [[9, 9, 3], [7, 3, 0]]
    assert passage.tolist() == [[0], [0]]
    assert source.dtype == np.int64


def test_the_files_of_tokens_are_what_they_always_were(tmp_path: Path) -> None:
    """An example after the other, and in each a field after the other; nothing else stands there."""
    write(tmp_path / "a", [Example([5, 6, 3], [7, 3], ([],)), Example([8, 3], [9, 3], ([1],))])
    wanted = {
        "tokens.bin": np.array([5, 6, 3, 7, 3, 8, 3, 9, 3, 1], "<u2").tobytes(),
        "starts.bin": np.array([0, 5], "<i8").tobytes(),
        "lengths.bin": np.array([3, 2, 0, 2, 2, 1], "<i4").tobytes(),
        "examples.json": b"""{
  "examples": 2,
  "fields": 3,
  "tokens": 10,
  "dtype": "<u2",
  "fingerprint": "x",
  "about": {}
}""",
    }
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == wanted


def test_more_examples_than_are_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("endash.training.examples._CHUNK", 3)
    examples = [Example([number + 4, 3], [number + 5, 6, 3]) for number in range(10)]
    assert list(write(tmp_path / "examples", examples, passages=0)) == examples


def test_stored_under_another_fingerprint_or_not_whole_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    assert Examples.stored(folder, "x") is None
    write(folder, [Example([5, 3], [6, 3], ([],))])
    assert Examples.stored(folder, "x") is not None
    assert Examples.stored(folder, "y") is None
    with open(folder / "tokens.bin", "ab") as file:
        file.write(b"\0")
    assert Examples.stored(folder, "x") is None
    (folder / "examples.json").write_text("{")
    assert Examples.stored(folder, "x") is None


def test_writing_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Example]:
        yield Example([5, 3], [6, 3])
        raise OSError("the corpus is gone")

    with pytest.raises(OSError, match="gone"):
        Examples.write(tmp_path / "examples", broken(), passages=0, vocabulary=9, fingerprint="x")
    assert list(tmp_path.iterdir()) == []
