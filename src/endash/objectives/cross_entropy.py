"""Cross-entropy with label smoothing. Shapes: N target tokens, D width, V vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CHUNK = 512  # tokens projected at a time: their scores stay in the cache


@dataclass(frozen=True)
class Loss:
    """What training minimises: `total`, a mean over `tokens`; `nll` is the plain negative log-likelihood, summed, in nats."""

    total: Tensor
    tokens: int
    nll: float


def cross_entropy(scores_NV: Tensor, target_N: Tensor, *, label_smoothing: float) -> Loss:
    """-(1 - ε) log p(y) - ε/V Σ_v log p(v), a mean over tokens (Szegedy et al. 2016, section 7).

    `scores_NV` are unnormalised log-probabilities, taken in float32.
    """
    log_probability_NV = scores_NV.float().log_softmax(dim=-1)
    nll = nn.functional.nll_loss(log_probability_NV, target_N)
    total = (1 - label_smoothing) * nll - label_smoothing * log_probability_NV.mean()
    return Loss(total, len(target_N), nll.item() * len(target_N))


def projected_cross_entropy(
    hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor, target_N: Tensor, *, label_smoothing: float
) -> Loss:
    """`cross_entropy` of hidden states projected by W h + b, without ever holding all N × V scores.

    Each chunk of tokens is projected, and its gradient taken, while its scores are in the cache.
    """
    if not torch.is_grad_enabled():
        return cross_entropy(
            nn.functional.linear(hidden_ND, weight_VD, bias_V), target_N, label_smoothing=label_smoothing
        )
    total, nll = _Projected.apply(hidden_ND, weight_VD, bias_V, target_N, label_smoothing)  # type: ignore[no-untyped-call]
    return Loss(total, len(target_N), nll.item())


def mixed_cross_entropy(
    scores_NV: Tensor, copied_N: Tensor, written_N: Tensor, target_N: Tensor, *, label_smoothing: float
) -> Loss:
    """-log(g p_written(y) + (1 - g) p_copied(y)), with the smoothing of `cross_entropy` on what is written alone.

    `copied_N` is the probability of the target among what can be copied, `written_N` is g.
    """
    log_probability_NV = scores_NV.float().log_softmax(dim=-1)
    own = log_probability_NV.gather(1, target_N[:, None])[:, 0].exp()
    nll = -(written_N * own + (1 - written_N) * copied_N).clamp(min=1e-30).log().mean()
    total = (1 - label_smoothing) * nll - label_smoothing * log_probability_NV.mean()
    return Loss(total, len(target_N), nll.item() * len(target_N))


class _Projected(torch.autograd.Function):
    """The gradient of the scores is softmax(scores) - (1 - ε) onehot(y) - ε/V, over N."""

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor, target_N: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        N, V = len(target_N), len(weight_VD)
        grad_hidden = torch.empty_like(hidden_ND)
        grad_weight, grad_bias = torch.zeros_like(weight_VD), torch.zeros_like(bias_V)
        total, nll = hidden_ND.new_zeros((), dtype=torch.float32), hidden_ND.new_zeros((), dtype=torch.float32)
        for h, y, grad_h in zip(*(t.split(CHUNK) for t in (hidden_ND, target_N[:, None], grad_hidden)), strict=True):
            grad = nn.functional.linear(h, weight_VD, bias_V).log_softmax(-1, dtype=torch.float32)
            chunk_nll = -grad.gather(1, y).sum()
            nll += chunk_nll
            total += (1 - smoothing) * chunk_nll - smoothing / V * grad.sum()
            grad.exp_().sub_(smoothing / V).scatter_add_(1, y, grad.new_full(y.shape, smoothing - 1))
            grad_bias += grad.sum(0)
            grad = grad.to(h.dtype)
            grad_h.copy_(grad @ weight_VD)
            grad_weight += grad.t() @ h
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        ctx.tokens = N
        ctx.mark_non_differentiable(nll)
        return total / N, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        hidden, weight, bias = (grad * (grads[0] / ctx.tokens).to(grad.dtype) for grad in ctx.saved_tensors)
        return hidden, weight, bias, None, None
