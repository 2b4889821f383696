"""Cross-entropy with label smoothing. Shapes: N target tokens, V vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


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
    total = nll if label_smoothing == 0 else (1 - label_smoothing) * nll - label_smoothing * log_probability_NV.mean()
    return Loss(total, len(target_N), nll.item() * len(target_N))
