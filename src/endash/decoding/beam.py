"""Beam search over all rows of a batch at once.

At each step the 2K best continuations of a row are found. Those among the first K that end the sentence are finished; the
first K that do not are the beams of the next step, so a beam never shrinks. A row goes on until K hypotheses have ended (both as
in fairseq's sequence generator, Ott et al. 2019), or until no live beam could change what it returns, however it went on.

Shapes: B rows of the search, R rows not finished, K beams, C = 2K candidates, N hypotheses to return, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from endash.decoding.candidates import DROP_SHARE, NEVER, Candidates, best, log_total
from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.decoding.processors import Processor, Progress, lower
from endash.decoding.protocol import S, Stepper


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of the path: its rows, and of each beam after it the last token and the beam that it continued."""

    rows: Tensor  # (R,)
    parents: Tensor  # (R, K)
    tokens: Tensor  # (R, K)


class _Pool:
    """The best N hypotheses of each row, by normalised score, as places in the path where they end."""

    def __init__(self, rows: int, count: int, device: torch.device) -> None:
        self.normalised_BN = torch.full((rows, count), NEVER, device=device)
        self.scores_BN = torch.full((rows, count), NEVER, device=device)
        self.lengths_BN = torch.zeros(rows, count, dtype=torch.int64, device=device)  # tokens, without the end
        self.beams_BN = torch.zeros(rows, count, dtype=torch.int64, device=device)

    def add(self, rows_R: Tensor, scores_RK: Tensor, beams_RK: Tensor, *, length: int, divisor: float) -> None:
        """Enter what is good enough of these; a score of -inf is no hypothesis."""
        normalised_RN = torch.cat([self.normalised_BN[rows_R], scores_RK / divisor], 1)
        normalised_RN, best_RN = normalised_RN.topk(self.normalised_BN.shape[1], dim=1)
        self.normalised_BN[rows_R] = normalised_RN
        lengths_RK = torch.full_like(beams_RK, length)
        for kept_BN, new_RK in (
            (self.scores_BN, scores_RK),
            (self.lengths_BN, lengths_RK),
            (self.beams_BN, beams_RK),
        ):
            kept_BN[rows_R] = torch.cat([kept_BN[rows_R], new_RK], 1).gather(1, best_RN)


class _Beams(Generic[S]):
    """A beam search under way. What belongs to a row is dropped with it; the pool and the path keep all rows."""

    def __init__(
        self, stepper: Stepper[S], config: DecodingConfig, *, bos: int, eos: int, max_lengths_B: Tensor
    ) -> None:
        rows, device = stepper.rows, stepper.device
        self.stepper, self.config, self.eos = stepper, config, eos
        self.state = stepper.start()
        self.processors: Sequence[Processor] = ()
        self.pool = _Pool(rows, config.n_best, device)
        self.path: list[_Step] = []
        self.rows_R = torch.arange(rows, device=device)
        self.limits_R = max_lengths_B
        self.tokens_RK = torch.full((rows, 1), bos, dtype=torch.int64, device=device)
        self.live_RK = torch.zeros(rows, 1, device=device)
        self.ended_R = torch.zeros(rows, dtype=torch.int64, device=device)

    def step(self) -> None:
        """Read one token on every beam and choose the next."""
        scores_RKV, self.state = self.stepper.step(self.tokens_RK, self.state)
        totals_RK = log_total(scores_RKV)
        written = len(self.path)
        scores_RKV = lower(scores_RKV, self.processors, Progress(written, self.limits_R - written))
        parents_RK = self._choose(best(scores_RKV, self.live_RK - totals_RK, 2 * self.config.beam))
        self.path.append(_Step(self.rows_R, parents_RK, self.tokens_RK))
        self._go_on(parents_RK, self._done())

    def _choose(self, found: Candidates) -> Tensor:
        """Enter the ended candidates in the pool, take the others as the next beams and return their parents."""
        beam, length = self.config.beam, len(self.path) + 1
        scores_RK, parents_RK, tokens_RK = (x[:, :beam] for x in (found.scores, found.beams, found.tokens))
        ended_RC = found.tokens == self.eos
        if bool(ended_RC.any()):
            ended_RK = scores_RK.masked_fill(~ended_RC[:, :beam], NEVER)
            divisor = length**self.config.length_penalty
            self.pool.add(self.rows_R, ended_RK, parents_RK, length=length - 1, divisor=divisor)
            self.ended_R = self.ended_R + (ended_RK > NEVER).sum(1)  # what is banned has not ended
            going_RK = ended_RC.sort(dim=1, stable=True).indices[:, :beam]  # each beam ends once: K of 2K go on
            scores_RK = found.scores.gather(1, going_RK)
            parents_RK, tokens_RK = found.beams.gather(1, going_RK), found.tokens.gather(1, going_RK)
        self.live_RK, self.tokens_RK = scores_RK, tokens_RK
        return parents_RK

    def _done(self) -> Tensor:
        """Whether (R,) each row has found enough, or can find nothing better.

        A log-probability only falls, so a live hypothesis of score s ends at best with s / limit ** alpha: it gets there
        by tokens that cost nothing. That is exact for alpha >= 0.
        """
        length, alpha = len(self.path), self.config.length_penalty
        full_R = self.limits_R <= length
        if bool(full_R.any()):
            cut_R = full_R & (self.pool.normalised_BN[self.rows_R, 0] == NEVER)
            live_RK = self.live_RK[cut_R]
            beams_RK = torch.arange(self.config.beam, device=live_RK.device).expand_as(live_RK)
            self.pool.add(self.rows_R[cut_R], live_RK, beams_RK, length=length, divisor=length**alpha)
        attainable_R = self.live_RK[:, 0] / self.limits_R**alpha
        enough_R = self.ended_R >= self.config.beam
        return full_R | enough_R | (attainable_R <= self.pool.normalised_BN[self.rows_R, -1])

    def _go_on(self, parents_RK: Tensor, done_R: Tensor) -> None:
        """Bring state and processors to the new beams, and drop the rows that are done when it pays."""
        done = int(done_R.sum())
        if done * DROP_SHARE >= len(done_R):
            stay = (~done_R).nonzero().flatten()
            self.rows_R, self.limits_R, parents_RK = self.rows_R[stay], self.limits_R[stay], parents_RK[stay]
            self.tokens_RK, self.live_RK, self.ended_R = self.tokens_RK[stay], self.live_RK[stay], self.ended_R[stay]
            if not len(stay):
                return
            self.state = self.state.select(stay)
            self.processors = [processor.select(stay) for processor in self.processors]
        elif done:
            self.live_RK = self.live_RK.masked_fill(done_R[:, None], NEVER)
        self.state = self.state.reorder(parents_RK)
        self.processors = [processor.advance(parents_RK, self.tokens_RK) for processor in self.processors]

    def trace(self) -> Tensor:
        """The tokens (B, N, T) of the pool; those behind a hypothesis's length mean nothing."""
        at_BN = self.pool.beams_BN.clone()
        tokens_BNT = at_BN.new_zeros(*at_BN.shape, len(self.path))
        for t in reversed(range(len(self.path))):
            step = self.path[t]
            at_RN = at_BN[step.rows]
            within_RN = self.pool.lengths_BN[step.rows] > t
            tokens_BNT[step.rows, :, t] = step.tokens.gather(1, at_RN)
            at_BN[step.rows] = torch.where(within_RN, step.parents.gather(1, at_RN), at_RN)
        return tokens_BNT


@torch.inference_mode()
def beam_search(
    stepper: Stepper[S],
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_lengths_B: Tensor,
    processors: Sequence[Processor] = (),
) -> list[list[Found]]:
    """The `config.n_best` hypotheses of each row with the best normalised scores that were met, best first.

    A row has fewer if fewer ended within its `max_lengths_B` (int64, at least 1, end of sentence included), and unfinished
    ones only if none ended. What other rows are in the batch changes nothing.
    Raises ModelError if scores are not finite.
    """
    beams = _Beams(stepper, config, bos=bos, eos=eos, max_lengths_B=max_lengths_B)
    beams.processors = processors
    while len(beams.rows_R):
        beams.step()
    pool, limits = beams.pool, max_lengths_B.tolist()
    columns = (beams.trace(), pool.lengths_BN, pool.scores_BN, pool.normalised_BN)
    return [
        [
            Found(tuple(tokens[:length]), score, normalised, finished=length < limit)
            for tokens, length, score, normalised in zip(*row, strict=True)
            if normalised > NEVER
        ]
        for limit, *row in zip(limits, *(column.tolist() for column in columns), strict=True)
    ]
