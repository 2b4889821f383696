"""Greedy search and sampling: one token at a time on each beam, never looking back.

Shapes: B rows of the search, R rows not finished, K samples of a row (1 if greedy), J beams of a step (1 at the first, then
K), V vocabulary, T longest target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias

import torch
from torch import Tensor

from endash.decoding.candidates import DROP_SHARE, NEVER, log_total
from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.decoding.noise import noise
from endash.decoding.processors import Processor, Progress, lower
from endash.decoding.protocol import S, Stepper

_FEW = 256  # tokens among which the likeliest of a mass are looked for before all are sorted

Choose: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]
"""The next tokens (R, K), given the scores (R, J, V), the rows (R,) that these belong to, and the step."""


@torch.inference_mode()
def greedy_search(
    stepper: Stepper[S],
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_lengths_B: Tensor,
    processors: Sequence[Processor] = (),
) -> list[list[Found]]:
    """One hypothesis for each row: the likeliest token at every step. Limits and errors are those of `beam_search`."""

    def choose(scores_RJV: Tensor, rows_R: Tensor, step: int) -> Tensor:
        return scores_RJV.argmax(-1)

    walk = _Walk(stepper, choose, 1, bos=bos, eos=eos, max_lengths_B=max_lengths_B, processors=processors)
    return walk.run(config.length_penalty)


@torch.inference_mode()
def sample(
    stepper: Stepper[S],
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_lengths_B: Tensor,
    processors: Sequence[Processor] = (),
    rows: Sequence[int] | None = None,
) -> list[list[Found]]:
    """`config.n_best` samples for each row, in the order drawn; their scores are the model's own, at temperature 1.

    The samples of a row depend on `config.seed` and its number in `rows` alone, so give `rows` the places of the sources in
    the input (by default 0, 1, …) and no batching changes a result. Limits and errors are those of `beam_search`.
    """
    noise_BKT = _noise(config, range(stepper.rows) if rows is None else rows, max_lengths_B.tolist())
    noise_BKT = noise_BKT.to(stepper.device)

    def choose(scores_RJV: Tensor, rows_R: Tensor, step: int) -> Tensor:
        return draw(scores_RJV, noise_BKT[rows_R, :, step], config)

    walk = _Walk(stepper, choose, config.n_best, bos=bos, eos=eos, max_lengths_B=max_lengths_B, processors=processors)
    return walk.run(config.length_penalty)


def draw(scores_RJV: Tensor, noise_RK: Tensor, config: DecodingConfig) -> Tensor:
    """Tokens (R, K): for each noise in [0, 1) the token at that place of the cumulative distribution.

    The distribution is that of scores / temperature, cut to the `top_k` likeliest tokens and then to the fewest of these
    whose mass reaches `top_p` (nucleus sampling, Holtzman et al. 2020).
    """
    scores_RJV = scores_RJV / config.temperature
    tokens_RJV: Tensor | None = None
    if config.top_k is not None or config.top_p is not None:
        share_RJV, tokens_RJV = _likeliest(scores_RJV, config)
    else:
        share_RJV = scores_RJV.double().softmax(-1)
    rows, samples = noise_RK.shape
    mass_RKV = share_RJV.cumsum(-1).expand(rows, samples, -1)
    whole_RK = mass_RKV[..., -1]
    place_RK = (noise_RK * whole_RK).minimum(torch.nextafter(whole_RK, torch.zeros_like(whole_RK)))
    chosen_RK1 = torch.searchsorted(mass_RKV.contiguous(), place_RK[..., None], right=True)
    chosen_RK1 = chosen_RK1.clamp(max=share_RJV.shape[-1] - 1)  # only where everything is banned
    if tokens_RJV is not None:
        chosen_RK1 = tokens_RJV.expand(rows, samples, -1).gather(-1, chosen_RK1)
    return chosen_RK1[..., 0]


def _likeliest(scores_RJV: Tensor, config: DecodingConfig) -> tuple[Tensor, Tensor]:
    """The shares, float64, of the tokens that may be drawn, and these tokens; a token of share 0 may not."""
    vocabulary, top_p = scores_RJV.shape[-1], config.top_p or 1.0
    for size in (config.top_k,) if config.top_k else (_FEW, vocabulary):
        top_RJV, tokens_RJV = scores_RJV.topk(min(size, vocabulary), dim=-1)
        whole_RJ = (top_RJV if config.top_k else scores_RJV).double().logsumexp(-1, keepdim=True)
        share_RJV = (top_RJV.double() - whole_RJ).exp()
        before_RJV = share_RJV.cumsum(-1) - share_RJV
        if bool((before_RJV[..., -1] >= top_p).all()):
            break
    return share_RJV.masked_fill(before_RJV >= top_p, 0.0), tokens_RJV


def _noise(config: DecodingConfig, rows: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """The `noise` of each row, (B, K, T)."""
    noise_BKT = torch.zeros(len(rows), config.n_best, max(lengths, default=0), dtype=torch.float64)
    for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        noise_BKT[place, :, :length] = torch.from_numpy(noise(config, row, length))
    return noise_BKT


class _Walk(Generic[S]):
    """A search that never looks back, under way. Scores and lengths keep all rows; the rest leaves with its row."""

    def __init__(
        self,
        stepper: Stepper[S],
        choose: Choose,
        count: int,
        *,
        bos: int,
        eos: int,
        max_lengths_B: Tensor,
        processors: Sequence[Processor],
    ) -> None:
        rows, device = stepper.rows, stepper.device
        self.stepper, self.choose, self.count, self.eos = stepper, choose, count, eos
        self.limits_B, self.processors, self.state = max_lengths_B, processors, stepper.start()
        self.rows_R = torch.arange(rows, device=device)
        self.tokens_RJ = torch.full((rows, 1), bos, dtype=torch.int64, device=device)
        self.going_BK = torch.ones(rows, count, dtype=torch.bool, device=device)
        self.scores_BK = torch.zeros(rows, count, device=device)
        self.lengths_BK = torch.zeros(rows, count, dtype=torch.int64, device=device)  # tokens, without the end
        self.written: list[Tensor] = []  # the tokens (B, K) of each step

    def run(self, length_penalty: float) -> list[list[Found]]:
        """Walk every row to its end."""
        while len(self.rows_R):
            self.step()
        if not self.written:
            return []
        finished_BK = ~self.going_BK
        normalised_BK = self.scores_BK / (self.lengths_BK + finished_BK) ** length_penalty
        columns = torch.stack(self.written, 2), self.lengths_BK, self.scores_BK, normalised_BK, finished_BK
        return [
            [
                Found(tuple(tokens[:length]), score, normalised, finished)
                for tokens, length, score, normalised, finished in zip(*row, strict=True)
                if score > NEVER
            ]
            for row in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def step(self) -> None:
        """Read one token on every beam and choose the next."""
        scores_RJV, self.state = self.stepper.step(self.tokens_RJ, self.state)
        totals_RJ = log_total(scores_RJV)
        step = len(self.written)
        room_R = self.limits_B[self.rows_R] - step
        scores_RJV = lower(scores_RJV, self.processors, Progress(step, room_R))
        tokens_RK = self.choose(scores_RJV, self.rows_R, step)
        self._write(tokens_RK, _at(scores_RJV, tokens_RK) - totals_RJ, room_R)
        self._go_on(tokens_RK, ~self.going_BK[self.rows_R].any(1) | (room_R <= 1))

    def _write(self, tokens_RK: Tensor, gain_RK: Tensor, room_R: Tensor) -> None:
        going_RK, ends_RK = self.going_BK[self.rows_R], tokens_RK == self.eos
        written_RK = going_RK & (room_R > 0)[:, None]  # a row that is done may still be in the batch
        tokens_BK = tokens_RK.new_zeros(self.going_BK.shape)
        tokens_BK[self.rows_R] = tokens_RK
        self.written.append(tokens_BK)
        self.scores_BK[self.rows_R] += gain_RK.masked_fill(~written_RK, 0.0)
        self.lengths_BK[self.rows_R] += written_RK & ~ends_RK
        self.going_BK[self.rows_R] = going_RK & ~(written_RK & ends_RK)

    def _go_on(self, tokens_RK: Tensor, done_R: Tensor) -> None:
        """Make one beam into K after the first step, and drop the rows that are done when it pays."""
        if int(done_R.sum()) * DROP_SHARE >= len(done_R):
            stay = (~done_R).nonzero().flatten()
            self.rows_R, tokens_RK = self.rows_R[stay], tokens_RK[stay]
            if not len(stay):
                return
            self.state = self.state.select(stay)
            self.processors = [processor.select(stay) for processor in self.processors]
        parents_RK = torch.arange(self.count, device=tokens_RK.device).expand_as(tokens_RK)
        if self.tokens_RJ.shape[1] != self.count:
            parents_RK = torch.zeros_like(tokens_RK)
            self.state = self.state.reorder(parents_RK)
        self.processors = [processor.advance(parents_RK, tokens_RK) for processor in self.processors]
        self.tokens_RJ = tokens_RK


def _at(scores_RJV: Tensor, tokens_RK: Tensor) -> Tensor:
    return scores_RJV.expand(-1, tokens_RK.shape[1], -1).gather(-1, tokens_RK[..., None])[..., 0]
