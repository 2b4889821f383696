"""Joint decoding: each beam is also judged by a CTC head, which tells the target from the source's positions in their order.

Shapes: B rows, K beams, S source positions, V vocabulary. What is called before position s has S + 1 numbers: before the first,
…, before the last, and behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from endash.decoding.candidates import NEVER
from endash.decoding.processors import Progress

_LEAST = 1e-300  # of a probability: it has a logarithm, and a thousand of them still add up to a number


@dataclass(frozen=True, slots=True)
class CtcPrefix:
    """Adds w (log ψ(y_1 … y_t) - log ψ(y_1 … y_{t-1})) to the score of each token y_t: a search sums up log p + w log p_ctc.

    ψ(g) is the probability under CTC of all targets that begin with g (Graves 2008, prefix search; Watanabe et al. 2017, CTC
    prefix score); that of the end of sentence is p_ctc(g), of g and nothing after it. A longer prefix is never likelier, so this
    only lowers scores. With w = λ / (1 - λ) targets are ranked as by (1 - λ) log p + λ log p_ctc (Watanabe et al. 2017, joint
    decoding), and the score that search reports is that sum divided by 1 - λ.

    Where a beam was made to write what CTC holds impossible, such as a prefix longer than the source, CTC has no say in what follows.

    Attributes:
        probability: (B, S, V) of each token at each position, float64, 0 at padding; token 0 is the blank.
        lengths: (B,) real positions.
        blank, token: (B, K, S + 1), the log-probability that the positions before s have told just the beam's tokens, the last
            of them a blank; or the beam's last token.
        prefix: (B, K), log ψ of the beam's tokens.
        last: (B, K), the beam's last token; 0 before the first.
    """

    weight: float
    eos: int
    probability: Tensor
    lengths: Tensor
    blank: Tensor
    token: Tensor
    prefix: Tensor
    last: Tensor

    @classmethod
    def of(cls, log_probability_BSV: Tensor, mask_BS: Tensor, *, share: float, eos: int) -> Self:
        """Before the first token; `share` is λ, `mask_BS` True at real positions, which come first."""
        probability = log_probability_BSV.to(torch.float64, copy=True)  # the largest there is: changed in place
        probability.exp_().clamp_(min=_LEAST).mul_(mask_BS[:, :, None])
        zero = probability.new_zeros(len(probability), 1)
        blank = torch.cat([zero, _log(probability[:, :, 0]).cumsum(1)], 1)[:, None]
        return cls(
            weight=share / (1 - share),
            eos=eos,
            probability=probability,
            lengths=mask_BS.sum(1),
            blank=blank,
            token=torch.full_like(blank, NEVER),
            prefix=zero,
            last=torch.zeros_like(zero, dtype=torch.int64),
        )

    def __call__(self, scores_BKV: Tensor, progress: Progress, /) -> Tensor:
        """The scores, each lowered by what its token costs."""
        before_BKS = torch.logaddexp(self.blank, self.token)
        most_BK1 = before_BKS.amax(2, keepdim=True)
        most_BK1 = most_BK1.masked_fill(most_BK1 == NEVER, 0.0)
        prefix_BKV = torch.matmul((before_BKS[:, :, :-1] - most_BK1).exp(), self.probability).log() + most_BK1
        again_BK = self._told(self.blank[:, :, :-1], self.last)  # the same token is told again only behind a blank
        prefix_BKV.scatter_(2, self.last[:, :, None], again_BK[:, :, None])
        end_B11 = self.lengths[:, None, None]
        prefix_BKV[:, :, self.eos] = before_BKS.gather(2, end_B11.expand(-1, before_BKS.shape[1], 1))[:, :, 0]
        prefix_BKV[:, :, 0] = NEVER  # a blank is no token
        cost_BKV = (prefix_BKV - self.prefix[:, :, None]).clamp(max=0.0)  # but for rounding it is no gain
        cost_BKV = cost_BKV.masked_fill((self.prefix == NEVER)[:, :, None], 0.0)
        return scores_BKV + (self.weight * cost_BKV).to(scores_BKV.dtype)

    def select(self, rows: Tensor, /) -> Self:
        """The scores of these rows alone."""
        names = ("probability", "lengths", "blank", "token", "prefix", "last")
        return replace(self, **{name: getattr(self, name).index_select(0, rows) for name in names})

    def advance(self, parents_BK: Tensor, tokens_BK: Tensor, /) -> Self:
        """The scores after these tokens.

        With p_s and b_s the probabilities of token and blank at position s and φ_s what has come before it, all but the token
        itself, of the parent: token_{s+1} = (token_s + φ_s) p_s and blank_{s+1} = (token_s + blank_s) b_s.
        """
        parents_BKS = parents_BK[:, :, None].expand(-1, -1, self.blank.shape[2])
        blank, token = self.blank.gather(1, parents_BKS), self.token.gather(1, parents_BKS)
        same_BK1 = (tokens_BK == self.last.gather(1, parents_BK))[:, :, None]
        begins_BKS = torch.where(same_BK1, blank, torch.logaddexp(blank, token))[:, :, :-1]
        own_BKS = _log(self._of(tokens_BK))
        new_token = _recurrence(begins_BKS, own_BKS)
        new_blank = _recurrence(new_token[:, :, :-1], _log(self.probability[:, None, :, 0]).expand_as(own_BKS))
        return replace(
            self,
            blank=new_blank,
            token=new_token,
            prefix=self._told(begins_BKS, tokens_BK),
            last=tokens_BK,
        )

    def _of(self, tokens_BK: Tensor) -> Tensor:
        """(B, K, S) the probability of a token at each position."""
        index_BSK = tokens_BK[:, None].expand(-1, self.probability.shape[1], -1)
        return self.probability.gather(2, index_BSK).transpose(1, 2)

    def _told(self, before_BKS: Tensor, tokens_BK: Tensor) -> Tensor:
        """(B, K) log Σ_s before_s p_s(token): that a token is told for the first time somewhere."""
        return torch.logsumexp(before_BKS + self._of(tokens_BK).log(), 2)


def _log(probability: Tensor) -> Tensor:
    """The logarithm, finite at padding, which nothing real comes after."""
    return probability.clamp(min=_LEAST).log()


def _recurrence(gain_BKS: Tensor, factor_BKS: Tensor) -> Tensor:
    """x_0 = 0, x_{s+1} = (x_s + gain_s) factor_s, (B, K, S + 1), all of it in logarithms.

    Divided by F_{s+1} = factor_0 … factor_s it is a sum: x_{s+1} / F_{s+1} = Σ_r gain_r / F_r.
    """
    whole = factor_BKS.cumsum(2)
    before = whole - factor_BKS
    nothing = torch.full_like(whole[:, :, :1], NEVER)
    return torch.cat([nothing, torch.logcumsumexp(gain_BKS - before, 2) + whole], 2)
