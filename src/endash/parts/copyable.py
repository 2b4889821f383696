"""What a head copies from. Shapes: B batch, T target, K beams, S source, D width."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor, nn

LONGEST_RUN = 4


@dataclass(frozen=True)
class Copyable:
    """What a head that copies keeps of a memory.

    A *run* is how many of the tokens read last stand, in the same order, right before a position: what was just copied from
    there. It is counted up to `LONGEST_RUN`, over the tokens alone.

    Attributes:
        keys: (B, S, D) of its attention.
        states: (B, S, D) of the memory.
        tokens: (B, S) what can be copied.
        before: (B, S) the token before each, 0 before the first of a source or passage.
        mask: (B, S) True at real positions.
        bias: (B, 1, S) of scores, 0 at real positions.
    """

    keys: Tensor
    states: Tensor
    tokens: Tensor
    before: Tensor
    mask: Tensor
    bias: Tensor

    def runs(self, inputs_BT: Tensor) -> Tensor:
        """(B, T, S): the run at each position after the inputs 0 … t."""
        equal = self._equal(inputs_BT)
        runs, longer = equal.to(torch.uint8), equal
        for _ in range(LONGEST_RUN - 1):
            longer = equal & nn.functional.pad(longer[:, :-1, :-1], (1, 0, 1, 0))
            runs = runs + longer
        return runs

    def no_runs(self) -> Tensor:
        """(B, 1, S): the runs before the first token, of one beam a row."""
        return torch.zeros_like(self.tokens, dtype=torch.uint8)[:, None]

    def follow(self, tokens_BK: Tensor, runs_BKS: Tensor) -> Tensor:
        """(B, K, S): the runs after one more token in each beam."""
        longer = nn.functional.pad(runs_BKS[:, :, :-1], (1, 0)) + 1
        return longer.clamp(max=LONGEST_RUN) * self._equal(tokens_BK)

    def select(self, rows: Tensor) -> Self:
        """What is kept of these rows."""
        return replace(self, **{field.name: getattr(self, field.name).index_select(0, rows) for field in fields(self)})

    def _equal(self, tokens_BQ: Tensor) -> Tensor:
        return (tokens_BQ[:, :, None] == self.before[:, None]) & (self.before != 0)[:, None]
