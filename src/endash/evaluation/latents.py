"""What a latent vector is worth: the bound on the likelihood, its KL, and how many dimensions are in use."""

from __future__ import annotations

import numpy as np

from endash.errors import CorpusError
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import Answered, RatioScorer, Scorer

ACTIVE = 0.01  # the variance of a posterior mean over records, Burda et al. 2016, section 5.2


class Nll(RatioScorer):
    """Nats of a record's reference, in the mean; of a variational model the negative evidence lower bound, with one draw of z.

    The bound holds for every draw, and so stands beside the likelihood of a model without a latent vector.
    """

    name, title, lower, digits, by_record, asks_model = "nll", "NLL, nats", True, 2, False, True

    def statistics(self, given: Answered) -> Floats:
        """Nats of each record, and one record, (N, 2)."""
        if not given.losses:
            raise CorpusError("nll is of a model's losses, and none were given: give losses = (nats, tokens) a record")
        return np.array([(nats, 1) for nats, _ in given.losses], dtype=np.float64)

    def settings(self, given: Answered) -> list[str]:
        """Of how many tokens."""
        return [f"tokens:{sum(tokens for _, tokens in given.losses)}"]


class Kl(RatioScorer):
    """KL(q(z | x) || p(z)) of a record, in nats and in the mean: what its latent vector tells of it, be that much or little."""

    name, title, lower, digits, by_record, asks_model = "kl", "KL, nats", None, 2, False, True

    def statistics(self, given: Answered) -> Floats:
        """Nats of each record, and one record, (N, 2)."""
        kl_N = _latents(given, self.name)[:, 1].sum(axis=1)
        return np.stack([kl_N, np.ones_like(kl_N)], axis=1)

    def settings(self, given: Answered) -> list[str]:
        """Of how many dimensions."""
        return [f"dimensions:{_latents(given, self.name).shape[2]}"]


class ActiveUnits(Scorer):
    """The dimensions of a latent vector whose posterior mean varies over the records (Burda et al. 2016, section 5.2)."""

    name, title, digits, asks_model = "units", "active units", 0, True

    def value(self, given: Answered) -> float:
        """How many there are."""
        return float((_latents(given, self.name)[:, 0].var(axis=0) > ACTIVE).sum())

    def settings(self, given: Answered) -> list[str]:
        """Of how many dimensions, and what counts as varying."""
        return [f"dimensions:{_latents(given, self.name).shape[2]}", f"variance:{ACTIVE}"]


def _latents(given: Answered, metric: str) -> Floats:
    if given.latents is None:
        raise CorpusError(f"{metric} is of a model's latent vectors, and none were given: give latents, (N, 2, Z)")
    return given.latents
