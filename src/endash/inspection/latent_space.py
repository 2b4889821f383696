"""Where texts lie in a model's latent space. N texts, Z width of the latent vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endash import latent
from endash.errors import TextError
from endash.inspection.look import Floats
from endash.objectives.elbo import kl_divergence

if TYPE_CHECKING:
    from endash.model import Model

ACTIVE = 0.01
"""A dimension is active where the posterior mean's variance over texts is more than this (Burda et al. 2016, section 5.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentSpace:
    """The posteriors of some texts.

    Attributes:
        texts: N of them.
        places: (N, 2), the posterior means on their first two principal components.
        shares: of the means' variance, what each of the two components holds.
        kl: (Z,) nats that each dimension tells of a text, a mean over the texts.
        variance: (Z,) of each dimension of the posterior mean.
        model: its name.
    """

    texts: tuple[str, ...]
    places: Floats
    shares: tuple[float, float]
    kl: Floats
    variance: Floats
    model: str

    @property
    def active(self) -> int:
        """How many dimensions tell texts apart."""
        return int((self.variance > ACTIVE).sum())


def latent_space(model: Model, texts: Sequence[str]) -> LatentSpace:
    """Where `texts` lie in the latent space of `model`.

    Raises TextError for fewer than three texts, for a blank one and one that is too long; ModelError for a model without a
    latent vector.
    """
    latent.require_latent(model)
    if len(texts) < 3:
        raise TextError(f"{len(texts)} texts make no picture of a latent space: give at least 3")
    posterior = latent.posterior(model, texts)
    mean_NZ: NDArray[np.float64] = posterior.mean.double().cpu().numpy()
    places, shares = principal(mean_NZ)
    return LatentSpace(
        texts=tuple(texts),
        places=places.astype(np.float32),
        shares=shares,
        kl=kl_divergence(posterior).mean(0).cpu().numpy(),
        variance=mean_NZ.var(0).astype(np.float32),
        model=model.recipe.name,
    )


def principal(vectors_NZ: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """(N, 2): the vectors on the two orthogonal lines along which they vary most, and each line's share of the variance.

    The sign of a line is such that its largest component is positive, so that equal vectors make equal pictures.
    """
    centred = vectors_NZ - vectors_NZ.mean(0)
    _, spread, lines = np.linalg.svd(centred, full_matrices=False)
    lines = np.vstack([lines, np.zeros_like(lines)])[:2]  # a latent vector of one number has one line
    largest = np.abs(lines).argmax(1)
    lines *= np.where(lines[[0, 1], largest] < 0, -1, 1)[:, None]
    total = float((spread**2).sum()) or 1.0
    first, second = (*(spread**2 / total), 0.0)[:2]
    return centred @ lines.T, (float(first), float(second))
