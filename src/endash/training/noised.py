"""Examples that noise makes of stored texts, anew in each epoch. Shapes: N examples, B rows of a batch, L longest of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endash.example import Example
from endash.objectives.noise import Noise, Tokens, generator
from endash.text.tokenizer import EOS
from endash.training.examples import Examples


class Noised(Examples):
    """The examples of one epoch. What noise makes of a row depends on the seed, the epoch and the row alone.

    So nothing of it is stored or sent: each process draws what it needs, a run that goes on draws what it would have, and the
    batches of an epoch are made by the lengths that its examples have.
    """

    def __init__(self, texts: Examples, noise: Noise, *, seed: int, epoch: int = 0) -> None:
        """Those that `noise` makes of the sources of `texts`."""
        self.texts, self.noise, self.seed, self.epoch = texts, noise, seed, epoch
        self.about, self.fingerprint, self.signals = texts.about, texts.fingerprint, None

    @cached_property
    def lengths(self) -> NDArray[Any]:  # type: ignore[override]
        """(N, 2) tokens of each source and target; to count them is to draw them all, some 50 microseconds each."""
        drawn = map(self._drawn, range(len(self)))
        return np.fromiter((len(side) for sides in drawn for side in sides), np.int32, 2 * len(self)).reshape(-1, 2)

    def of_epoch(self, epoch: int) -> Noised:
        """See `Examples`."""
        return self if epoch == self.epoch else Noised(self.texts, self.noise, seed=self.seed, epoch=epoch)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, row: Any) -> Any:
        source, target = self._drawn(row)
        return Example(source.tolist(), target.tolist())

    def padded(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], ...]:
        """See `Examples`: source and target."""
        drawn = [self._drawn(int(row)) for row in rows]
        return tuple(_padded([sides[side] for sides in drawn]) for side in (0, 1))

    def places(self, rows: NDArray[np.integer[Any]]) -> None:
        """There are none: these are targets of text."""

    def _drawn(self, row: int) -> tuple[Tokens, Tokens]:
        """Source and target of a row, each with its end."""
        random = generator(self.seed, epoch=self.epoch, row=row)
        source, target = self.noise.corrupt(text_of(self.texts[row]), random)
        return np.append(source, EOS), np.append(target, EOS)


def text_of(example: Example) -> Tokens:
    """The tokens of an example's source without their end: what noise is put on."""
    return np.array(example.source[:-1], dtype=np.int64)


def _padded(rows: list[Tokens]) -> NDArray[np.int64]:
    """(B, L), padded with 0."""
    padded_BL = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for place, tokens in enumerate(rows):
        padded_BL[place, : len(tokens)] = tokens
    return padded_BL
