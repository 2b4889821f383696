"""The variational encoder, which wraps another. Shapes: B batch, S source positions, Z width of the latent vector."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, SerializeAsAny, model_validator
from torch import Tensor, nn

from endash.encoders.recurrent import LSTMEncoderConfig
from endash.encoders.registry import encoders
from endash.memory import Latent, Memory
from endash.objectives.elbo import ElboConfig
from endash.parts.contracts import Encoder, PartConfig


class VariationalConfig(ElboConfig, PartConfig):
    """Settings of the variational encoder."""

    kind: Literal["variational"] = "variational"
    width: int = Field(32, ge=1, description="of the latent vector")
    encoder: Annotated[SerializeAsAny[PartConfig], encoders.field()] = Field(
        default_factory=LSTMEncoderConfig, description="the encoder that reads the source, a table with its kind"
    )

    @model_validator(mode="after")
    def _draws_once(self) -> Self:
        if isinstance(self.encoder, VariationalConfig):
            raise ValueError(
                "encoder.encoder.kind = 'variational' would draw twice, and only the outer vector would cost anything: "
                "wrap an encoder that reads, such as 'lstm'"
            )
        return self

    @property
    def innermost(self) -> PartConfig:
        """Settings of the encoder that is given the source."""
        return self.encoder.innermost


@encoders.register
class VariationalEncoder(Encoder):
    """q(z | x) = N(μ, σ²) with μ and log σ² linear in the wrapped encoder's summary; z = μ + σ ε, ε ~ N(0, 1) (Kingma & Welling 2014).

    All that a decoder gets of a source is z (Bowman et al. 2016): it is the summary, and the state of every position, so that
    any link can read it. When not training, z is μ. The loss is that of `endash.objectives.elbo`.
    """

    Config = VariationalConfig
    gives = frozenset({"states", "summary", "latent"})

    def __init__(self, config: VariationalConfig) -> None:
        super().__init__()
        self.encoder = encoders.build(config.encoder)
        self.posterior = nn.Linear(config.encoder.width, 2 * config.width)

    def begin(self) -> None:
        """Put in what the wrapped encoder was trained to."""
        self.encoder.begin()

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        """The memory of embedded sources; see `Encoder`."""
        read = self.encoder(vectors_BSD, mask_BS)
        mean_BZ, log_variance_BZ = self.posterior(read.summary).chunk(2, dim=1)
        states_BSZ = mean_BZ[:, None].expand(-1, read.mask.shape[1], -1)
        memory = Memory(states_BSZ, read.mask, summary=mean_BZ, latent=Latent(mean_BZ, log_variance_BZ, mean_BZ))
        return draw(memory) if self.training else memory


def draw(memory: Memory) -> Memory:
    """The memory of a variational encoder with z drawn from the posterior anew; what was joined to it stays."""
    assert memory.latent is not None
    mean_BZ, log_variance_BZ = memory.latent.mean, memory.latent.log_variance
    sample_BZ = mean_BZ + torch.randn_like(mean_BZ) * (0.5 * log_variance_BZ).exp()
    own_BS = torch.ones_like(memory.mask) if memory.segments is None else memory.segments == 0
    states_BSZ = torch.where(own_BS[:, :, None], sample_BZ[:, None], memory.states)
    return replace(memory, states=states_BSZ, summary=sample_BZ, latent=replace(memory.latent, sample=sample_BZ))
