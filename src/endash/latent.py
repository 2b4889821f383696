"""Writing from latent vectors: new texts, and texts between two. Shapes: N texts, Z width of the latent vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from endash.encoders.variational import draw
from endash.errors import ModelError, TextError
from endash.memory import Latent, Memory
from endash.objectives.elbo import kl_divergence
from endash.reading import batches
from endash.registry import kind_of
from endash.text import EOS

if TYPE_CHECKING:
    from endash.model import Model


def sample(model: Model, count: int, *, seed: int, **decoding: Any) -> list[str]:
    """`count` texts, each the best hypothesis of a z ~ N(0, 1); the n-th depends on `seed` and n alone.

    Raises ModelError for a model without a latent vector; `decoding` as for `Model.translate`.
    """
    width = require_latent(model)
    generator = torch.Generator().manual_seed(seed)
    z_NZ = torch.zeros(count, width)
    for z_Z in z_NZ:  # one after the other: torch draws a few numbers in another way than many
        z_Z.normal_(generator=generator)
    return write(model, z_NZ, **decoding)


def interpolate(model: Model, first: str, last: str, *, steps: int, **decoding: Any) -> list[str]:
    """`steps` texts on the straight line from one text's posterior mean to another's (Bowman et al. 2016, section 4.3).

    The ends are what the model makes of the two texts, not the texts. Raises ModelError for a model without a latent vector
    or fewer than two steps, TextError for a text that is blank or too long; `decoding` as for `Model.translate`.
    """
    if steps < 2:
        raise ModelError(f"steps = {steps}: from one text to another it takes at least 2")
    first_Z, last_Z = means(model, [first, last])
    share_N1 = torch.linspace(0, 1, steps, device=first_Z.device)[:, None]
    return write(model, torch.lerp(first_Z, last_Z, share_N1), **decoding)


def means(model: Model, texts: Sequence[str]) -> Tensor:
    """(N, Z): the posterior mean of each text. Raises as `interpolate` does."""
    return posterior(model, texts).mean


def posterior(model: Model, texts: Sequence[str]) -> Latent:
    """The posterior of each text; the sample is the mean. Raises as `interpolate` does."""
    return _encoded(model, texts)[1]


def _encoded(model: Model, texts: Sequence[str]) -> tuple[Memory, Latent]:
    require_latent(model)
    if blank := [number for number, text in enumerate(texts, start=1) if not text.strip()]:
        raise TextError(f"text {blank[0]} is blank and has no place in the latent space: leave it out")
    memory = model.encode(texts)
    assert memory.latent is not None
    return memory, memory.latent


@dataclass(frozen=True, slots=True)
class Bound:
    """What a variational model makes of N texts, in nats: (N,), and (N, Z) of each dimension.

    `nll` is the negative evidence lower bound in the mean over the draws, `weighted` the importance-weighted bound, which is nearer
    to the likelihood (Burda et al. 2016, equation 8), `kl` what each dimension costs, `mean` the posterior mean.
    """

    nll: Tensor
    weighted: Tensor
    kl: Tensor
    mean: Tensor


@torch.no_grad()
def bound(model: Model, texts: Sequence[str], *, draws: int = 1, seed: int = 0) -> Bound:
    """The bound of each text with `draws` of its latent vector, the same ones for a `seed`. Raises as `interpolate` does."""
    encoded, latents = _encoded(model, texts)
    nll_N, weighted_N = torch.zeros(len(texts)), torch.zeros(len(texts))
    kl_NZ = kl_divergence(latents).cpu()
    tokens = model.codec.encode_targets(texts, [one.placeholders for one in model.codec.encode_sources(texts)])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for batch in batches([len(one) for one in tokens], model.recipe.decoding.batch_tokens):
            memory, target_BT = encoded.select(batch).trim(), model.padded([tokens[i] for i in batch])
            drawn = [draw(memory) for _ in range(draws)]
            likelihood_DB = torch.stack([model.network.score(one, target_BT).sum(1) for one in drawn]).cpu()
            ratio_DB = torch.stack([_log_ratio(one.latent) for one in drawn if one.latent is not None]).cpu()
            nll_N[batch] = kl_NZ[batch].sum(1) - likelihood_DB.mean(0)
            weighted_N[batch] = math.log(draws) - (likelihood_DB + ratio_DB).double().logsumexp(0).float()
    return Bound(nll_N, weighted_N, kl_NZ, latents.mean.float().cpu())


def _log_ratio(latent: Latent) -> Tensor:
    """(B,): log p(z) - log q(z | x) of the sample."""
    z_BZ, deviation_BZ = latent.sample, (0.5 * latent.log_variance).exp()
    prior = torch.distributions.Normal(torch.zeros_like(z_BZ), torch.ones_like(z_BZ))
    ratio_BZ: Tensor = prior.log_prob(z_BZ) - torch.distributions.Normal(latent.mean, deviation_BZ).log_prob(z_BZ)
    return ratio_BZ.sum(1)


def write(model: Model, z_NZ: Tensor, **decoding: Any) -> list[str]:
    """The best hypothesis of each latent vector, as long as the model's texts may be."""
    z_NZ = z_NZ.to(model.device, model.network.target_embedding.weight.dtype)
    longest = {"max_extra": model.recipe.text.max_length} | decoding
    memory = Memory(
        z_NZ[:, None],
        torch.ones(len(z_NZ), 1, dtype=torch.bool, device=z_NZ.device),
        summary=z_NZ,
        latent=Latent(z_NZ, torch.zeros_like(z_NZ), z_NZ),
        tokens=torch.full((len(z_NZ), 1), EOS, device=z_NZ.device),
        sources=("",) * len(z_NZ),
    )
    found = model.search(memory, model.recipe.decoding.replace(**longest))
    return [model.codec.decode_target(row[0].tokens, ()) for row in found]


def require_latent(model: Model) -> int:
    """The width of the model's latent vector. Raises ModelError where it has none."""
    if model.network.variational is None:
        raise ModelError(
            f"encoder.kind = {kind_of(model.recipe.encoder)!r} has no latent vector to write from: "
            "train a model with encoder.kind = 'variational', such as recipes/multi30k-en-vae.toml"
        )
    return model.network.variational.width
