"""Sources that are no tokens, on disk: sounds, pictures or features beside the examples that they belong to.

Shapes: N examples, D dimensions of a source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from endash.errors import TrainingError
from endash.signals import check_signal
from endash.training.flat_files import mapped

_HEADER = "signals.json"


class Signals(Sequence[NDArray[Any]]):
    """The sources of all examples, of one dtype and number of dimensions, in a folder of three flat files.

    Of examples one after the other that have one array, as a picture with several captions does, it is stored once.
    """

    def __init__(self, folder: Path, count: int) -> None:
        """Map the files of `folder`. Raises OSError, ValueError or KeyError for files that are missing or do not fit."""
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
        self._values = mapped(folder / "values.bin", np.dtype(header["dtype"]), (header["values"],))
        self._starts = mapped(folder / "starts.bin", np.dtype("<i8"), (count,))
        self._shapes = mapped(folder / "shapes.bin", np.dtype("<i4"), (count, header["dimensions"]))

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, row: Any) -> Any:
        shape, start = self._shapes[row].tolist(), int(self._starts[row])
        return self._values[start : start + int(np.prod(shape))].reshape(shape)


class SignalWriter:
    """Writes the files of `Signals`, one source after the other."""

    def __init__(self, values: BinaryIO, starts: BinaryIO, shapes: BinaryIO) -> None:
        self._values, self._starts, self._shapes = values, starts, shapes
        self._first: NDArray[Any] | None = None
        self._last: NDArray[Any] | None = None
        self._start = self._end = 0

    def add(self, signal: NDArray[Any]) -> None:
        """One source more. Raises ModelError for an array that no network takes, TrainingError if it is unlike the others."""
        check_signal(signal)
        if self._first is None:
            self._first = signal
        elif _kind(signal) != _kind(first := self._first):
            raise TrainingError(
                f"a source is an array of {signal.dtype} with the shape {signal.shape}, and another one is of {first.dtype} with "
                f"the shape {first.shape}: give all sources of a corpus one dtype, and as many features or colours"
            )
        if signal is not self._last:
            self._last, self._start = signal, self._end
            self._values.write(np.ascontiguousarray(signal).tobytes())
            self._end += signal.size
        self._starts.write(np.array(self._start, dtype="<i8").tobytes())
        self._shapes.write(np.array(signal.shape, dtype="<i4").tobytes())

    @property
    def header(self) -> dict[str, Any]:
        """What is to be known of the files to map them."""
        first = np.zeros(0, np.uint8) if self._first is None else self._first
        return {"dtype": first.dtype.str, "dimensions": first.ndim, "values": self._end}


def _kind(signal: NDArray[Any]) -> tuple[Any, ...]:
    """What all sources of a corpus have in common."""
    return signal.dtype, signal.ndim, signal.shape[max(1, signal.ndim - 1) :]


@contextmanager
def writing_signals(folder: Path) -> Iterator[SignalWriter]:
    """A writer of the signals in `folder`, which is made; at the end of the block all is written."""
    folder.mkdir()
    names = ("values.bin", "starts.bin", "shapes.bin")
    files = [open(folder / name, "wb") for name in names]  # noqa: SIM115  (closed below)
    try:
        writer = SignalWriter(*files)
        yield writer
    finally:
        for file in files:
            file.close()
    (folder / _HEADER).write_text(json.dumps(writer.header), encoding="utf-8")
