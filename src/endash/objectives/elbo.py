"""The evidence lower bound of a variational model. Shapes: B batch, T target positions, Z width of the latent vector."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from endash.config import Config
from endash.memory import Latent
from endash.objectives.cross_entropy import Loss


class ElboConfig(Config):
    """How a variational model is trained, so that its decoder does not learn to do without the latent vector."""

    annealing_cycles: Annotated[int, Field(ge=1, description="times that the weight of the KL rises from 0")] = 1
    annealing_rise: Annotated[
        float, Field(ge=0, le=1, description="share of each cycle in which it rises to 1; 0: it is 1 all along")
    ] = 0.5
    free_bits: Annotated[float, Field(ge=0, description="nats of each latent dimension that cost nothing")] = 0.2
    word_dropout: Annotated[float, Field(ge=0, lt=1, description="share of the decoder's inputs that are unknown")] = (
        0.3
    )


def kl_divergence(latent: Latent) -> Tensor:
    """KL(N(μ, σ²) || N(0, 1)) of each source and dimension, (B, Z), in nats and float32.

    ½ (μ² + σ² - 1 - log σ²) (Kingma & Welling 2014, appendix B).
    """
    mean_BZ, log_variance_BZ = latent.mean.float(), latent.log_variance.float()
    return 0.5 * (mean_BZ.square() + log_variance_BZ.exp() - 1 - log_variance_BZ)


def kl_weight(config: ElboConfig, *, progress: float) -> float:
    """The weight of the KL when `progress` of the training, 0 to 1, is done.

    With one cycle it rises in a straight line and stays at 1 (Bowman et al. 2016, section 3.1; departure: a line in place
    of their sigmoid); with M it does so M times, as β_t of Fu et al. 2019, equation 6, with R = `annealing_rise`.
    """
    if progress >= 1 or config.annealing_rise == 0:
        return 1.0
    return min(1.0, progress * config.annealing_cycles % 1 / config.annealing_rise)


def elbo(cross_entropy: Loss, latent: Latent, config: ElboConfig, *, progress: float) -> Loss:
    """Cross-entropy, given a sample of the latent vector, and the KL that this vector costs.

    Minimised is Σ -log p(y | z) + β Σ_j max(λ, KL_j) over the batch's tokens, KL_j the mean over the batch of dimension j, β the
    `kl_weight` and λ the free bits (Kingma et al. 2016, equation 15, each dimension a group of its own). Free bits of each
    dimension, and not of their sum, since a sum is spent on one or two dimensions, while the others collapse.
    The `nll` is the bound itself: neither β, λ nor label smoothing is in it; its KL is the part ``kl``.
    """
    kl_BZ = kl_divergence(latent)
    paid = len(kl_BZ) * kl_BZ.mean(0).clamp(min=config.free_bits).sum()
    total = cross_entropy.total + kl_weight(config, progress=progress) * paid / cross_entropy.tokens
    kl = kl_BZ.sum().item()
    return replace(cross_entropy, total=total, nll=cross_entropy.nll + kl, parts={"kl": kl})


def drop_words(tokens_BT: Tensor, words_BT: Tensor, share: float, *, unknown: int) -> Tensor:
    """What a decoder is given, with a `share` of the words put to `unknown` (Bowman et al. 2016, section 3.1).

    So it cannot go by the words before alone, and has to ask the latent vector.
    """
    dropped_BT = words_BT & (torch.rand(tokens_BT.shape, device=tokens_BT.device) < share)
    return tokens_BT.masked_fill(dropped_BT, unknown)
