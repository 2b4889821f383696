"""What samples are drawn by: the same for a source whatever is decoded beside it, and on either path."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from endash.decoding.config import DecodingConfig


def noise(config: DecodingConfig, row: int, length: int) -> NDArray[np.float64]:
    """Uniform noise in [0, 1), (n_best, length), of a generator of the row's own; `row` is its place in the input."""
    digest = hashlib.blake2b(f"{config.seed} {row}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big")).random((config.n_best, length))
