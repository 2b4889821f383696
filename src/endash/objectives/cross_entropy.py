"""Cross-entropy with label smoothing. Shapes: N target tokens, D width, V vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from endash.objectives import fused_cross_entropy
from endash.parts.fused import fused, multiplies
from endash.parts.precision import product_precision

CHUNK = 512  # tokens projected at a time: their scores stay in the cache
_TINY = 1e-30  # the least probability: its logarithm is finite


@dataclass(frozen=True)
class Loss:
    """What training minimises.

    Attributes:
        total: a mean over `tokens`.
        tokens: of the target.
        nll: the plain negative log-likelihood, or the bound on it, summed, in nats.
        parts: named parts of `nll`, summed in the same way, that are worth a line of their own.
    """

    total: Tensor
    tokens: int
    nll: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Copies:
    """What a head that copies adds to the probabilities of what it writes itself: p(y) = g p_written(y) + (1 - g) p_copied(y).

    Attributes:
        copied: (N,) p_copied of each target token.
        written: (N,) g.
    """

    copied: Tensor
    written: Tensor

    def mixed(self, own_N: Tensor) -> Tensor:
        """(N,) p(y), where `own_N` is p_written(y)."""
        return (self.written * own_N + (1 - self.written) * self.copied).clamp(min=_TINY)


def cross_entropy(scores_NV: Tensor, target_N: Tensor, *, label_smoothing: float, copies: Copies | None = None) -> Loss:
    """-(1 - ε) log p(y) - ε/V Σ_v log p_written(v), a mean over tokens (Szegedy et al. 2016, section 7).

    `scores_NV` are unnormalised log-probabilities of what is written, taken in float32.
    """
    log_probability_NV = scores_NV.float().log_softmax(dim=-1)
    own = log_probability_NV.gather(1, target_N[:, None])[:, 0]
    nll = -(own if copies is None else copies.mixed(own.exp()).log()).mean()
    total = (1 - label_smoothing) * nll - label_smoothing * log_probability_NV.mean()
    return Loss(total, len(target_N), nll.item() * len(target_N))


def projected_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor,
    target_N: Tensor,
    *,
    label_smoothing: float,
    copies: Copies | None = None,
) -> Loss:
    """`cross_entropy` of hidden states projected by W h + b, without ever holding all N × V scores.

    Each chunk of tokens is projected, and its gradient taken, while its scores are in the cache.
    """
    if not torch.is_grad_enabled():
        scores_NV = nn.functional.linear(hidden_ND, weight_VD, bias_V)
        return cross_entropy(scores_NV, target_N, label_smoothing=label_smoothing, copies=copies)
    if copies is None and fused(hidden_ND) and multiplies(weight_VD):
        total, nll = fused_cross_entropy.entropy(
            hidden_ND, weight_VD, bias_V, target_N, label_smoothing=label_smoothing
        )
        return Loss(total, len(target_N), nll.item())
    mixture = (None, None) if copies is None else (copies.copied, copies.written)
    total, nll = _Projected.apply(hidden_ND, weight_VD, bias_V, target_N, label_smoothing, *mixture)  # type: ignore[no-untyped-call]
    return Loss(total, len(target_N), nll.item())


class _Projected(torch.autograd.Function):
    """With p = softmax(scores) and r the share of g p(y) in the mixture (1 where nothing is copied), the gradient of the scores is

        a p - (1 - ε) r onehot(y) - ε/V,   a = (1 - ε) r + ε,

    over N. The factor a of a token goes to its hidden state, and what is the same for all tokens or all words is taken out of
    the products: so the N × V probabilities are gone over once, in the precision of the products.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor,
        target_N: Tensor,
        smoothing: float,
        copied_N: Tensor | None,
        written_N: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        N, V = len(target_N), len(weight_VD)
        hidden, weight, bias = (t.to(product_precision(hidden_ND)) for t in (hidden_ND, weight_VD, bias_V))
        sum_of_weights = weight.sum(0, dtype=torch.float32)
        grad_hidden, grad_weight = torch.empty_like(hidden_ND), torch.zeros_like(weight_VD)
        grad_bias = torch.full_like(bias_V, -smoothing * N / V)
        mixture = None if copied_N is None or written_N is None else Copies(copied_N, written_N)
        own_N, share_N = hidden_ND.new_empty(N, dtype=torch.float32), hidden_ND.new_ones(N, dtype=torch.float32)
        log_words = own_N.new_zeros(())  # Σ log p over tokens and words
        with torch.autocast(hidden.device.type, enabled=False):
            for rows in torch.arange(N, device=hidden.device).split(CHUNK):
                part = slice(int(rows[0]), int(rows[-1]) + 1)
                h, y = hidden[part], target_N[part, None]
                scores = nn.functional.linear(h, weight, bias)
                chosen = scores.gather(1, y)[:, 0].float()
                p = scores.softmax(-1)
                own = own_N[part] = p.gather(1, y)[:, 0].float().clamp(min=_TINY)
                log_words += (h.float() @ sum_of_weights + bias.float().sum() - V * (chosen - own.log())).sum()
                if mixture is not None:
                    here = Copies(mixture.copied[part], mixture.written[part])
                    share_N[part] = here.written * own / here.mixed(own)
                share = (1 - smoothing) * share_N[part]
                factor = (share + smoothing).clamp(min=_TINY)
                p[rows - rows[0], target_N[part]] = (own - share / factor).to(p.dtype)  # scatter_ would copy p twice
                scaled = (factor[:, None] * h).to(h.dtype)
                grad_hidden[part] = (p @ weight) * factor[:, None] - smoothing / V * sum_of_weights
                grad_weight += p.t() @ scaled
                grad_bias += factor.to(p.dtype) @ p
        grad_weight -= smoothing / V * hidden.sum(0, dtype=torch.float32)
        nll_N = -(own_N if mixture is None else mixture.mixed(own_N)).log()
        grads = [grad_hidden, grad_weight, grad_bias]
        if mixture is not None:
            slope = (smoothing - 1) / mixture.mixed(own_N)
            grads += [slope * (1 - mixture.written), slope * (own_N - mixture.copied)]
        ctx.save_for_backward(*grads)
        ctx.tokens = N
        nll = nll_N.sum()
        ctx.mark_non_differentiable(nll)
        return ((1 - smoothing) * nll - smoothing / V * log_words) / N, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, *mixture = (grad * (grads[0] / ctx.tokens).to(grad.dtype) for grad in ctx.saved_tensors)
        return hidden, weight, bias, None, None, *(mixture or (None, None))
