"""Examples on disk: a corpus tokenised once, read by memory map, so that it may be larger than memory.

Shapes: N examples, F fields of an example (source, target, passages), B rows of a batch, L longest of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from endash.example import Example
from endash.files import whole_folder
from endash.training.flat_files import mapped
from endash.training.signals import Signals, SignalWriter, writing_signals

_CHUNK = 10_000  # examples held in memory while writing
_HEADER = "examples.json"
_SIGNALS = "signals"


class Examples(Sequence[Example]):
    """The examples of one part of a corpus, in a folder of four flat files, and one for sources that are no tokens.

    Attributes:
        lengths: (N, F) tokens of each field, in the order source, target, passages; of a source that is no tokens the
            positions that the network makes of it.
        signals: the sources, where they are no tokens.
        about: what the writer said of them.
    """

    def __init__(self, folder: Path) -> None:
        """Map the files of `folder`. Raises OSError, ValueError or KeyError for files that are missing or do not fit."""
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
        count, fields, tokens = header["examples"], header["fields"], header["tokens"]
        self.about: dict[str, Any] = header["about"]
        self.fingerprint: str = header["fingerprint"]
        self._tokens = mapped(folder / "tokens.bin", np.dtype(header["dtype"]), (tokens,))
        self._starts = mapped(folder / "starts.bin", np.dtype("<i8"), (count,))
        self.lengths = mapped(folder / "lengths.bin", np.dtype("<i4"), (count, fields))
        self.signals = Signals(folder / _SIGNALS, count) if header.get(_SIGNALS) else None
        self._placed: bool = header.get("places", False)

    @classmethod
    def write(
        cls,
        folder: Path,
        examples: Iterable[Example],
        *,
        passages: int,
        vocabulary: int,
        fingerprint: str,
        places: bool = False,
        positions: Callable[[tuple[int, ...]], int] | None = None,
        about: Callable[[], dict[str, Any]] = dict,
    ) -> Self:
        """Write `examples`, each with so many `passages`, to `folder`, which appears once it is whole.

        `vocabulary` is the largest number of different token ids; `places` says that each target has them. Where sources are
        arrays, `positions` gives how many positions the network makes of one of such a shape. What `about` gives, called after
        the last example was drawn, is stored with them.
        """
        dtype = np.dtype("<u2") if vocabulary <= 2**16 else np.dtype("<i4")
        count = tokens = 0
        with whole_folder(folder) as writing:
            with (
                open(writing / "tokens.bin", "wb") as token_file,
                open(writing / "starts.bin", "wb") as start_file,
                open(writing / "lengths.bin", "wb") as length_file,
                writing_signals(writing / _SIGNALS) if positions else nullcontext() as signals,
            ):
                rows = _rows(examples, signals, places=places, positions=positions)
                for flat, sizes, lengths in _chunks(rows, dtype):
                    assert lengths.shape[1] == 2 + passages
                    ends = tokens + np.cumsum(sizes, dtype="<i8")
                    token_file.write(flat.tobytes())
                    start_file.write((ends - sizes).astype("<i8").tobytes())
                    length_file.write(lengths.tobytes())
                    count, tokens = count + len(lengths), int(ends[-1])
            header = {"examples": count, "fields": 2 + passages, "tokens": tokens, "dtype": dtype.str}
            header |= {name: True for name, has in ((_SIGNALS, positions), ("places", places)) if has}
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

    def of_epoch(self, epoch: int) -> Examples:
        """The examples as they are in this epoch, counted from 0: these, but for those of which noise makes others (`Noised`)."""
        return self

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, row: Any) -> Any:
        lengths_F, ends_F = (of_rows[0] for of_rows in self._spans(np.array([row])))
        cut = [self._tokens[end - length : end].tolist() for length, end in zip(lengths_F, ends_F, strict=True)]
        places = cut.pop() if self._placed else ()
        source = cut[0] if self.signals is None else self.signals[row]
        return Example(source, cut[1], tuple(cut[2:]), tuple(places))

    def padded(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], ...]:
        """Source, target and each passage of these rows, (B, L) int64 padded with 0; L is at least 1.

        A source that is no tokens has none.
        """
        lengths_BF, ends_BF = self._spans(rows)
        return tuple(self._padded(lengths_BF[:, f], ends_BF[:, f]) for f in range(self.lengths.shape[1]))

    def places(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int64] | None:
        """The place of each label of these rows, (B, L) int64 padded with 0; None where labels have none."""
        if not self._placed:
            return None
        lengths_BF, ends_BF = self._spans(rows)
        return self._padded(lengths_BF[:, -1], ends_BF[:, -1])

    def _spans(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many tokens each stored field of these rows has, and where in all of them it ends: both (B, F), places last."""
        lengths_BF = self.lengths[rows].astype(np.int64)
        if self.signals is not None:
            lengths_BF[:, 0] = 0
        if self._placed:
            lengths_BF = np.concatenate([lengths_BF, lengths_BF[:, 1:2]], axis=1)
        return lengths_BF, self._starts[rows][:, None] + lengths_BF.cumsum(axis=1)

    def _padded(self, length_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> NDArray[np.int64]:
        position_L = np.arange(max(1, length_B.max()))
        real_BL = position_L < length_B[:, None]
        padded_BL = np.zeros(real_BL.shape, dtype=np.int64)
        padded_BL[real_BL] = self._tokens[((end_B - length_B)[:, None] + position_L)[real_BL]]
        return padded_BL


def _rows(
    examples: Iterable[Example],
    signals: SignalWriter | None,
    *,
    places: bool,
    positions: Callable[[tuple[int, ...]], int] | None,
) -> Iterator[tuple[list[int], list[int]]]:
    """Of each example all its tokens, and the length of each field; a source that is no tokens is written at once."""
    for example in examples:
        source, fields = example.source, [example.target, *example.passages]
        lengths = [len(source), *map(len, fields)]
        if isinstance(source, np.ndarray):
            assert signals is not None
            assert positions is not None
            signals.add(source)
            lengths[0] = positions(source.shape)
        else:
            fields = [source, *fields]
        if places:
            assert len(example.places) == len(example.target)
            fields.append([*example.places])
        yield [token for field in fields for token in field], lengths


def _chunks(
    rows: Iterable[tuple[list[int], list[int]]], dtype: np.dtype[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int32]]]:
    """The flat tokens, how many of them each example has, and the (N, F) lengths, of a bounded number of examples at a time."""
    drawn = iter(rows)
    while chunk := list(islice(drawn, _CHUNK)):
        sizes = np.array([len(tokens) for tokens, _ in chunk], dtype=np.int64)
        lengths = np.array([lengths for _, lengths in chunk], dtype="<i4")
        yield np.array([token for tokens, _ in chunk for token in tokens], dtype=dtype), sizes, lengths
