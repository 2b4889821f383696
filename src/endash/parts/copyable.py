"""What a head copies from. Shapes: B batch, T target, K beams, S source, D width."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor, nn

LONGEST_RUN = 4


@dataclass(frozen=True)
class Copyable:
    """What a head that copies keeps of a memory, and what is known of each position from the tokens written so far alone.

    A position's *run* is how many of the tokens read last stand, in the same order, right before it: what was just copied from
    there, counted up to `LONGEST_RUN`. A position is *done* once it was itself the end of two or more tokens that were read
    in a row. Its *trace* is one number: the run, and 1 + `LONGEST_RUN` more where it is done.

    Attributes:
        keys: (B, S, D) of the head's attention.
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

    def traces(self, inputs_BT: Tensor) -> Tensor:
        """(B, T, S): the trace of each position after the inputs 0 … t."""
        equal = self._equal(inputs_BT)
        runs, longer = equal.to(torch.uint8), equal
        for _ in range(LONGEST_RUN - 1):
            longer = equal & nn.functional.pad(longer[:, :-1, :-1], (1, 0, 1, 0))
            runs = runs + longer
        return runs + (1 + LONGEST_RUN) * _just_done(runs).cummax(1).values

    def no_traces(self) -> Tensor:
        """(B, 1, S): the traces before the first token, of one beam a row."""
        return torch.zeros_like(self.tokens, dtype=torch.uint8)[:, None]

    def follow(self, tokens_BK: Tensor, traces_BKS: Tensor) -> Tensor:
        """(B, K, S): the traces after one more token in each beam."""
        longer = nn.functional.pad(run(traces_BKS)[:, :, :-1], (1, 0)) + 1
        runs = longer.clamp(max=LONGEST_RUN) * self._equal(tokens_BK)
        done = torch.maximum(traces_BKS // (1 + LONGEST_RUN), _just_done(runs))
        return runs + (1 + LONGEST_RUN) * done

    def select(self, rows: Tensor) -> Self:
        """What is kept of these rows."""
        return replace(self, **{field.name: getattr(self, field.name).index_select(0, rows) for field in fields(self)})

    def _equal(self, tokens_BQ: Tensor) -> Tensor:
        return (tokens_BQ[:, :, None] == self.before[:, None]) & (self.before != 0)[:, None]


def run(traces: Tensor) -> Tensor:
    """The run of each trace."""
    return traces % (1 + LONGEST_RUN)


def _just_done(runs_BQS: Tensor) -> Tensor:
    """1 where the next position's run says that this one was just read, and the one before it before."""
    return nn.functional.pad(runs_BQS[:, :, 1:] >= 2, (0, 1)).to(torch.uint8)
