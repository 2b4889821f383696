"""Score processors: what may be written next. They compose with every search, and search knows none of them by name.

A processor changes scores after search has normalised them, so a reported score is still the model's own
log-probability, or what such a processor makes of it as `endash.decoding.ctc.CtcPrefix`. It may only lower scores; beam
search's stopping rule relies on that.

Shapes: B rows, K beams, V vocabulary, N slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from endash.decoding.candidates import NEVER
from endash.decoding.config import check_room
from endash.errors import ModelError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: the tokens already written (the same for all rows), and the room of each row.

    `room` counts the tokens that may still be written, the end of sentence included.
    """

    written: int
    room: Tensor  # (B,)


class Processor(Protocol):
    """A rule for the next token. A value: `select` and `advance` return a new one."""

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores, some lowered. It may write to `scores_BKV`; K is 1 at the first step."""
        ...

    def select(self, rows: Tensor, /) -> Self:
        """The processor of these rows of the batch alone."""
        ...

    def advance(self, parents_BK: Tensor, tokens_BK: Tensor, /) -> Self:
        """The processor after each beam k of row b has gone on from beam ``parents_BK[b, k]`` with ``tokens_BK[b, k]``."""
        ...


def lower(scores_BKV: Tensor, processors: Sequence[Processor], progress: Progress) -> Tensor:
    """The scores after each processor in turn."""
    for processor in processors:
        scores_BKV = processor(scores_BKV, progress)
    return scores_BKV


class Stateless:
    """A processor that holds nothing of a row."""

    def select(self, rows: Tensor, /) -> Self:
        """Itself."""
        return self

    def advance(self, parents_BK: Tensor, tokens_BK: Tensor, /) -> Self:
        """Itself."""
        return self


class BanTokens(Stateless):
    """Never writes these tokens, such as padding."""

    def __init__(self, tokens: Iterable[int], device: torch.device | str = "cpu") -> None:
        self.tokens = torch.tensor(sorted(set(tokens)), dtype=torch.int64, device=device)

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores with the banned tokens at -inf."""
        return scores_BKV.index_fill_(-1, self.tokens, NEVER)


class MinLength(Stateless):
    """Writes at least `length` tokens before the end of sentence `eos`, where the row has room for so many."""

    def __init__(self, length: int, eos: int) -> None:
        self.length, self.eos = length, eos

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores with the end of sentence at -inf while the target is too short."""
        if progress.written < self.length:
            scores_BKV[..., self.eos].masked_fill_((progress.room > 1)[:, None], NEVER)
        return scores_BKV


@dataclass(frozen=True, slots=True)
class Prefix:
    """Begins each target with the tokens of its row, whatever other processors say, and leaves the rest to these."""

    others: tuple[Processor, ...]
    tokens: Tensor  # (B, T), -1 behind the prefix of a row

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores with all but the next token of a prefix at -inf."""
        if progress.written >= self.tokens.shape[1]:
            return lower(scores_BKV, self.others, progress)
        next_B = self.tokens[:, progress.written]
        begun_B = next_B >= 0
        next_BK1 = next_B.clamp(min=0)[:, None, None].expand(-1, scores_BKV.shape[1], 1)
        own_BK1 = scores_BKV.gather(-1, next_BK1)
        scores_BKV = lower(scores_BKV, self.others, progress).masked_fill(begun_B[:, None, None], NEVER)
        return torch.where(begun_B[:, None, None], scores_BKV.scatter(-1, next_BK1, own_BK1), scores_BKV)

    def select(self, rows: Tensor, /) -> Prefix:
        """The rule for these rows alone."""
        return Prefix(tuple(one.select(rows) for one in self.others), self.tokens[rows])

    def advance(self, parents_BK: Tensor, tokens_BK: Tensor, /) -> Prefix:
        """The rule after these tokens."""
        return replace(self, others=tuple(one.advance(parents_BK, tokens_BK) for one in self.others))


@dataclass(frozen=True, slots=True)
class NoRepeat:
    """Writes no `length` tokens in a row a second time; the `spared` tokens may always be written."""

    length: int
    spared: range
    written: Tensor  # (B, K, T)

    @classmethod
    def of(cls, rows: int, *, length: int, spared: range, device: torch.device | str = "cpu") -> NoRepeat:
        """Before the first token of so many rows. `length` is 2 or more."""
        return cls(length, spared, torch.zeros(rows, 1, 0, dtype=torch.int64, device=device))

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores with every token at -inf that would end such a repetition."""
        if self.written.shape[2] < self.length:
            return scores_BKV
        stretches_BKTN = self.written.unfold(2, self.length, 1)
        last_BKN = self.written[:, :, 1 - self.length :]
        again_BKT = (stretches_BKTN[..., :-1] == last_BKN[:, :, None]).all(-1)
        ends_BKT = stretches_BKTN[..., -1]
        again_BKT &= (ends_BKT < self.spared.start) | (ends_BKT >= self.spared.stop)
        rows, beams, _ = again_BKT.nonzero(as_tuple=True)
        scores_BKV[rows, beams, ends_BKT[again_BKT]] = NEVER
        return scores_BKV

    def select(self, rows: Tensor, /) -> NoRepeat:
        """The rule for these rows alone."""
        return replace(self, written=self.written[rows])

    def advance(self, parents_BK: Tensor, tokens_BK: Tensor, /) -> NoRepeat:
        """The rule after these tokens."""
        before = self.written.gather(1, parents_BK[..., None].expand(-1, -1, self.written.shape[2]))
        return replace(self, written=torch.cat([before, tokens_BK[..., None]], dim=2))


@dataclass(frozen=True, slots=True)
class SlotConstraint:
    """Writes exactly the slots of the source: each as often as it is there, and no other.

    A slot that is not in the source or is used up is banned; the end of sentence is banned until all are written; when the
    room that is left is just enough for those still to be written, nothing else is allowed.
    """

    left: Tensor  # (B, K, N): how often each slot is still to be written
    first: int  # the token of slot 0; slots are consecutive
    eos: int

    @classmethod
    def of(
        cls, slots: Sequence[Sequence[int]], *, first: int, count: int, eos: int, device: torch.device | str = "cpu"
    ) -> SlotConstraint:
        """From the slot tokens of each source, repeated as often as they are to be written.

        The slot tokens are `first` to ``first + count - 1``. Raises ModelError for a token that is no slot.
        """
        left = torch.zeros(len(slots), 1, count, dtype=torch.int64)
        for row, tokens in enumerate(slots):
            for token in tokens:
                if not first <= token < first + count:
                    raise ModelError(f"token {token} of row {row} is no slot: slots are {first} to {first + count - 1}")
                left[row, 0, token - first] += 1
        return cls(left.to(device), first, eos)

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores with what would break the rule at -inf."""
        slots = slice(self.first, self.first + self.left.shape[-1])
        todo_BK = self.left.clamp(min=0).sum(-1)  # a prefix may have more than there are
        if progress.written == 0:
            for row, (todo, room) in enumerate(zip(todo_BK[:, 0].tolist(), progress.room.tolist(), strict=True)):
                check_room(row, todo, room)
        urgent_BK = (todo_BK > 0) & (todo_BK >= progress.room[:, None] - 1)
        if bool(urgent_BK.any()):
            slots_BKN = scores_BKV[..., slots].clone()
            scores_BKV.masked_fill_(urgent_BK[..., None], NEVER)
            scores_BKV[..., slots] = slots_BKN
        scores_BKV[..., slots].masked_fill_(self.left <= 0, NEVER)
        scores_BKV[..., self.eos].masked_fill_(todo_BK > 0, NEVER)
        return scores_BKV

    def select(self, rows: Tensor, /) -> SlotConstraint:
        """The constraint of these rows alone."""
        return replace(self, left=self.left[rows])

    def advance(self, parents_BK: Tensor, tokens_BK: Tensor, /) -> SlotConstraint:
        """The constraint after these tokens."""
        count = self.left.shape[-1]
        left_BKN = self.left.gather(1, parents_BK[..., None].expand(-1, -1, count))
        slot_BK = tokens_BK - self.first
        is_slot_BK = (slot_BK >= 0) & (slot_BK < count)
        left_BKN.scatter_add_(-1, slot_BK.clamp(0, count - 1)[..., None], -is_slot_BK.long()[..., None])
        return replace(self, left=left_BKN)
