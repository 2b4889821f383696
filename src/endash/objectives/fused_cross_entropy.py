"""Projected cross-entropy of the fused way (`parts.fused`). Shapes: N target tokens, D width, V vocabulary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from endash.parts.fused import add_gradient, gradient_place, in_products, native, product

_CHUNK = 512  # tokens projected at a time


def entropy(
    hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor, target_N: Tensor, *, label_smoothing: float
) -> tuple[Tensor, Tensor]:
    """The loss of `cross_entropy.projected_cross_entropy`, a mean, and the negative log-likelihood, a sum."""
    hidden = hidden_ND.to(torch.bfloat16)
    total, nll = _Entropy.apply(hidden, weight_VD, bias_V, target_N, label_smoothing)  # type: ignore[no-untyped-call]
    return total, nll


class _Entropy(torch.autograd.Function):
    """Scores become their gradient, p - (1 - ε) onehot(y) - ε/V, where they are, one chunk after the other."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        (N, V), matrix, offset = (len(target), len(weight)), in_products(weight), in_products(bias)
        hidden, target = hidden.contiguous(), target.long().contiguous()
        own, log_words = torch.empty(N), 0.0
        grad_weight, grad_bias = torch.zeros(weight.shape), torch.zeros(bias.shape)
        grad_hidden: list[Tensor] = []
        for first in range(0, N, _CHUNK):
            part = slice(first, min(first + _CHUNK, N))
            scores = product(hidden[part], matrix, offset, transposed=True)
            log_words += native.entropy(
                scores.data_ptr(),
                target[part].data_ptr(),
                *scores.shape,
                smoothing,
                own[part].data_ptr(),
            )
            grad_hidden.append(product(scores, matrix, transposed=False))
            add_gradient(scores, hidden[part], grad_weight, grad_bias)
        ctx.save_for_backward(torch.cat(grad_hidden), grad_weight, grad_bias)
        ctx.parameters, ctx.tokens = (weight, bias), N
        nll = -own.sum()
        ctx.mark_non_differentiable(nll)
        return ((1 - smoothing) * nll - smoothing / V * log_words) / N, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias = ctx.saved_tensors
        scale = float(grads[0]) / ctx.tokens
        given = []
        for gradient, parameter in zip((weight, bias), ctx.parameters, strict=True):
            place, give = gradient_place(parameter)
            place.add_(gradient, alpha=scale)
            given.append(give)
        return hidden * scale, *given, None, None
