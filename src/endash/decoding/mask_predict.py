"""Mask-predict: write all positions at once, then again those that are least certain (Ghazvininejad et al. 2019).

Shapes: B rows, N lengths that are tried, T positions of the longest target, V vocabulary, M slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from endash.decoding.candidates import NEVER, log_total
from endash.decoding.config import DecodingConfig, check_room
from endash.decoding.hypothesis import Found
from endash.decoding.processors import SlotConstraint
from endash.decoding.protocol import Filler

PADDING = 0


@dataclass(frozen=True, slots=True)
class _Filled:
    """Targets with a token at each position, its log-probability when it was written (section 3.1), and in the first pass."""

    tokens: Tensor  # (B, T)
    certain: Tensor  # (B, T)
    first: Tensor  # (B, T)


@torch.inference_mode()
def mask_predict(
    filler: Filler,
    config: DecodingConfig,
    *,
    unknown: int,
    eos: int,
    banned: Sequence[int],
    max_lengths_B: Tensor,
    slots: SlotConstraint | None = None,
) -> list[list[Found]]:
    """Up to `config.n_best` hypotheses for each row, one for each of the `config.lengths` likeliest lengths, best first.

    The first pass writes every position, and pass t of T again the N (T - t) / T that were written with the least
    probability (section 3.1). Of the lengths the best is that whose tokens have the highest mean log-probability, each as it was
    when written (section 3.3); this is `Found.normalised`. Departure: the length counts as one token more, the end of sentence.
    `Found.score` is what the model itself scores a target: the log-probability of its length, and of its tokens in the first
    pass, when nothing was known. What was written twice in a row stays.

    `slots` are written each as often as it says, in the likeliest places. `max_lengths_B` counts the end of sentence. Raises
    ModelError if scores are not finite, or if a row has no room for its slots.
    """
    least_B = torch.ones_like(max_lengths_B)
    if slots is not None:
        required_B = slots.left[:, 0].sum(1)
        for row, (required, room) in enumerate(zip(required_B.tolist(), max_lengths_B.tolist(), strict=True)):
            check_room(row, required, room)
        least_B = required_B + 1
    found: list[list[Found]] = [[] for _ in range(filler.rows)]
    if not found:
        return found
    of_length_BN, lengths_BN = _lengths(filler, config.lengths, least_B, max_lengths_B)
    for of_length_B, length_B in zip(of_length_BN.unbind(1), lengths_BN.unbind(1), strict=True):
        search = _Refining(filler, unknown=unknown, eos=eos, banned=banned, length_B=length_B, slots=slots)
        filled = search.run(config.iterations)
        scores_B = of_length_B + filled.first.sum(1)
        normalised_B = (of_length_B + filled.certain.sum(1)) / length_B
        columns = (filled.tokens, length_B, scores_B, normalised_B, of_length_B)
        for row, (tokens, length, score, normalised, likely) in enumerate(
            zip(*(one.tolist() for one in columns), strict=True)
        ):
            if likely > NEVER:
                found[row].append(Found(tuple(tokens[: length - 1]), score, normalised, finished=True))
    return [sorted(one, key=lambda hypothesis: -hypothesis.normalised)[: config.n_best] for one in found]


def _lengths(filler: Filler, count: int, least_B: Tensor, most_B: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probabilities (B, N) of the likeliest lengths within these bounds, and the lengths; -inf where there are fewer."""
    every_L = torch.arange(1, int(most_B.max()) + 1, device=filler.device)
    of_length_BL = filler.lengths(every_L)
    within_BL = (every_L >= least_B[:, None]) & (every_L <= most_B[:, None])
    of_length_BN, place_BN = of_length_BL.masked_fill(~within_BL, NEVER).topk(min(count, len(every_L)), dim=1)
    return of_length_BN, every_L[place_BN]


class _Refining:
    """Mask-predict of one length a row."""

    def __init__(
        self,
        filler: Filler,
        *,
        unknown: int,
        eos: int,
        banned: Sequence[int],
        length_B: Tensor,
        slots: SlotConstraint | None,
    ) -> None:
        self.filler, self.unknown, self.slots = filler, unknown, slots
        self.words_B = length_B - 1
        self.banned = torch.tensor([*banned, eos], dtype=torch.int64, device=filler.device)
        place_T = torch.arange(int(length_B.max()), device=filler.device)
        self.word_BT = place_T < self.words_B[:, None]
        self.empty_BT = torch.full(self.word_BT.shape, PADDING, device=filler.device)
        self.empty_BT[place_T == self.words_B[:, None]] = eos

    def run(self, iterations: int) -> _Filled:
        """All passes."""
        scores_BTV = self.filler.fill(self.empty_BT.masked_fill(self.word_BT, self.unknown))
        total_BT = log_total(scores_BTV)
        tokens_BT = self._write(scores_BTV, self.empty_BT, self.word_BT)
        certain_BT = self._certain(scores_BTV, total_BT, tokens_BT)
        for done in range(1, iterations):
            again_BT = self._least_certain(certain_BT, self.words_B * (iterations - done) // iterations)
            if not bool(again_BT.any()):
                break
            again_BTV = self.filler.fill(tokens_BT.masked_fill(again_BT, self.unknown))
            again_total_BT = log_total(again_BTV)
            tokens_BT = self._write(again_BTV, tokens_BT, again_BT)
            certain_BT = torch.where(again_BT, self._certain(again_BTV, again_total_BT, tokens_BT), certain_BT)
        return _Filled(tokens_BT, certain_BT, self._certain(scores_BTV, total_BT, tokens_BT))

    def _least_certain(self, certain_BT: Tensor, count_B: Tensor) -> Tensor:
        """The positions (B, T) of so many of the least certain words of each row."""
        rank_BT = certain_BT.masked_fill(~self.word_BT, 1.0).argsort(dim=1, stable=True).argsort(1)
        return self.word_BT & (rank_BT < count_B[:, None])

    def _certain(self, scores_BTV: Tensor, total_BT: Tensor, tokens_BT: Tensor) -> Tensor:
        """The log-probability (B, T) of each word, 0 behind the words."""
        own_BT = scores_BTV.gather(2, tokens_BT[:, :, None])[:, :, 0] - total_BT
        return own_BT.masked_fill(~self.word_BT, 0.0)

    def _write(self, scores_BTV: Tensor, tokens_BT: Tensor, asked_BT: Tensor) -> Tensor:
        """The likeliest tokens in the positions that are asked for, the others as they were."""
        scores_BTV.index_fill_(2, self.banned, NEVER)
        if self.slots is None:
            return torch.where(asked_BT, scores_BTV.argmax(2), tokens_BT)
        first, count = self.slots.first, self.slots.left.shape[2]
        slots_BTM = scores_BTV[..., first : first + count]
        kept_BTM = slots_BTM.clone()
        slots_BTM.fill_(NEVER)
        likeliest_BT, words_BT = scores_BTV.max(2)
        slots_BTM.copy_(kept_BTM)
        written_BT = torch.where(asked_BT, words_BT, tokens_BT)
        gain_BTM = kept_BTM - likeliest_BT[:, :, None]
        known_BTM = torch.nn.functional.one_hot((tokens_BT - first).clamp(-1, count) + 1, count + 2)[..., 1:-1]
        left_BM = self.slots.left[:, 0] - (known_BTM * ~asked_BT[..., None]).sum(1)
        for row in left_BM.any(1).nonzero().flatten().tolist():
            places, wanted = _best_places(gain_BTM[row], asked_BT[row], left_BM[row])
            written_BT[row, places] = wanted + first
        return written_BT


def _best_places(gain_TM: Tensor, asked_T: Tensor, left_M: Tensor) -> tuple[Tensor, Tensor]:
    """Different asked places for slots that are left, each as often as it is, so that their gains add up to the most; and the slots."""
    from scipy.optimize import linear_sum_assignment

    place_P, slot_S = asked_T.nonzero().flatten(), torch.repeat_interleave(left_M)
    chosen, slot = linear_sum_assignment(gain_TM[place_P][:, slot_S].double().cpu().numpy(), maximize=True)
    return place_P[torch.from_numpy(chosen)], slot_S[torch.from_numpy(slot)]
