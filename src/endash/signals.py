"""Sounds and pictures as a batch. Shapes: B rows, N samples, C colours, H rows of pixels, W columns of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from endash.parts.contracts import Padded


def pad_signals(rows: Sequence[NDArray[Any]], device: torch.device) -> Padded:
    """Samples (N) of 16 bits as (B, N) within ±1, or pictures (H, W, C) of 8 bits as (B, C, H, W) within 0 … 1; padded with 0."""
    longest = tuple(max(row.shape[axis] for row in rows) for axis in range(2 if rows[0].ndim > 1 else 1))
    values = np.zeros((len(rows), *longest, *rows[0].shape[2:]), dtype=rows[0].dtype)
    mask = np.zeros((len(rows), *longest), dtype=bool)
    for number, row in enumerate(rows):
        place: Any = (number, *(slice(size) for size in row.shape[: len(longest)]))
        values[place], mask[place] = row, True
    scale = 2**15 if values.dtype == np.int16 else 255
    padded = torch.from_numpy(values).to(device).float() / scale
    return Padded(padded.movedim(-1, 1) if padded.ndim > 2 else padded, torch.from_numpy(mask).to(device))
