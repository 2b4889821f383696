"""Sounds, pictures and features as a batch. Shapes: B rows, N samples, S positions, F features, H and W pixels, C colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from endash.errors import ModelError
from endash.parts.contracts import Padded

_FULL = {np.dtype(np.int16): 2**15, np.dtype(np.uint8): 255, np.dtype(np.float32): 1}  # what becomes 1


def check_signal(signal: NDArray[Any]) -> None:
    """Raise ModelError for an array that `pad_signals` does not take."""
    if signal.dtype not in _FULL or not 1 <= signal.ndim <= 3:
        raise ModelError(
            f"a source is an array of {signal.ndim} dimensions of {signal.dtype}: give samples (N) of int16, pixels (H, W, C) "
            "of uint8, or features (S, F) of float32"
        )


def pad_signals(rows: Sequence[NDArray[Any]], device: torch.device) -> Padded:
    """Sources of one kind, padded with 0: samples (N) as (B, N), features (S, F) as (B, S, F), pixels (H, W, C) as (B, C, H, W).

    What is of 16 bits comes out as -1 … 1, what is of 8 bits as 0 … 1, and float32 as it is. The mask has the shape of the
    values but for features and colours. Raises ModelError for other arrays, and for none.
    """
    if not rows:
        raise ModelError("no sound or picture is given, and a memory has at least one: give some")
    for row in rows:
        check_signal(row)
    sizes = [row.shape[: max(1, row.ndim - 1)] for row in rows]
    longest = tuple(max(size) for size in zip(*sizes, strict=True))
    values = np.zeros((len(rows), *longest, *rows[0].shape[len(longest) :]), dtype=rows[0].dtype)
    mask = np.zeros((len(rows), *longest), dtype=bool)
    for number, (row, size) in enumerate(zip(rows, sizes, strict=True)):
        place: Any = (number, *map(slice, size))
        values[place], mask[place] = row, True
    padded = torch.from_numpy(values).to(device).float() / _FULL[values.dtype]
    return Padded(padded.movedim(3, 1) if padded.ndim == 4 else padded, torch.from_numpy(mask).to(device))
