"""Examples on disk: a corpus tokenised once, read by memory map, so that it may be larger than memory.

Shapes: N examples, F fields of an example (source, target, passages), B rows of a batch, L longest of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from endash.example import Example
from endash.files import whole_folder

_CHUNK = 10_000  # examples held in memory while writing
_HEADER = "examples.json"


class Examples(Sequence[Example]):
    """The examples of one part of a corpus, in a folder of four flat files.

    Attributes:
        lengths: (N, F) tokens of each field, in the order source, target, passages.
        about: what the writer said of them.
    """

    def __init__(self, folder: Path) -> None:
        """Map the files of `folder`. Raises OSError, ValueError or KeyError for files that are missing or do not fit."""
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
        count, fields, tokens = header["examples"], header["fields"], header["tokens"]
        self.about: dict[str, Any] = header["about"]
        self.fingerprint: str = header["fingerprint"]
        self._tokens = _mapped(folder / "tokens.bin", np.dtype(header["dtype"]), (tokens,))
        self._starts = _mapped(folder / "starts.bin", np.dtype("<i8"), (count,))
        self.lengths = _mapped(folder / "lengths.bin", np.dtype("<i4"), (count, fields))

    @classmethod
    def write(
        cls,
        folder: Path,
        examples: Iterable[Example],
        *,
        passages: int,
        vocabulary: int,
        fingerprint: str,
        about: Callable[[], dict[str, Any]] = dict,
    ) -> Self:
        """Write `examples`, each with so many `passages`, to `folder`, which appears once it is whole.

        `vocabulary` is the largest number of different token ids. What `about` gives, called after the last example was
        drawn, is stored with them.
        """
        dtype = np.dtype("<u2") if vocabulary <= 2**16 else np.dtype("<i4")
        count = tokens = 0
        with whole_folder(folder) as writing:
            with (
                open(writing / "tokens.bin", "wb") as token_file,
                open(writing / "starts.bin", "wb") as start_file,
                open(writing / "lengths.bin", "wb") as length_file,
            ):
                for flat, lengths in _chunks(examples, passages, dtype):
                    ends = tokens + np.cumsum(lengths.sum(axis=1), dtype="<i8")
                    token_file.write(flat.tobytes())
                    start_file.write((ends - lengths.sum(axis=1)).astype("<i8").tobytes())
                    length_file.write(lengths.tobytes())
                    count, tokens = count + len(lengths), int(ends[-1])
            header = {"examples": count, "fields": 2 + passages, "tokens": tokens, "dtype": dtype.str}
            header |= {"fingerprint": fingerprint, "about": about()}
            (writing / _HEADER).write_text(json.dumps(header, ensure_ascii=False, indent=2), encoding="utf-8")
        return cls(folder)

    @classmethod
    def stored(cls, folder: Path, fingerprint: str) -> Self | None:
        """The examples of an earlier `write` under the same fingerprint; None if there are none, or not whole."""
        try:
            found = cls(folder)
        except (OSError, ValueError, KeyError):
            return None
        return found if found.fingerprint == fingerprint else None

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, row: Any) -> Any:
        source, target, *passages = (field[0].tolist() for field in self.padded(np.array([row])))
        lengths = self.lengths[row].tolist()
        cut = [tokens[:length] for tokens, length in zip((source, target, *passages), lengths, strict=True)]
        return Example(cut[0], cut[1], tuple(cut[2:]))

    def padded(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], ...]:
        """Source, target and each passage of these rows, (B, L) int64 padded with 0; L is at least 1."""
        lengths_BF = self.lengths[rows].astype(np.int64)
        ends_BF = self._starts[rows][:, None] + lengths_BF.cumsum(axis=1)
        fields = []
        for length_B, end_B in zip(lengths_BF.T, ends_BF.T, strict=True):
            position_L = np.arange(max(1, length_B.max()))
            real_BL = position_L < length_B[:, None]
            padded_BL = np.zeros(real_BL.shape, dtype=np.int64)
            padded_BL[real_BL] = self._tokens[((end_B - length_B)[:, None] + position_L)[real_BL]]
            fields.append(padded_BL)
        return tuple(fields)


def _chunks(
    examples: Iterable[Example], passages: int, dtype: np.dtype[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[np.int32]]]:
    """The flat tokens and the (N, F) lengths of a bounded number of examples at a time."""
    drawn = iter(examples)
    while chunk := list(islice(drawn, _CHUNK)):
        fields = [(example.source, example.target, *example.passages) for example in chunk]
        lengths = np.array([[len(field) for field in example] for example in fields], dtype="<i4")
        assert lengths.shape == (len(chunk), 2 + passages)
        flat = [token for example in fields for field in example for token in field]
        yield np.array(flat, dtype=dtype), lengths


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A read-only map of a file, which has to be of just this size: ValueError if it is not."""
    expected = int(np.prod(shape)) * dtype.itemsize
    if path.stat().st_size != expected:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, not {expected}")
    if expected == 0:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=shape)
