"""The variational encoder, which wraps another. Shapes: B batch, S source positions, Z width of the latent vector."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, SerializeAsAny
from torch import Tensor, nn

from endash.encoders.recurrent import LSTMEncoderConfig
from endash.encoders.registry import encoders
from endash.memory import Latent, Memory
from endash.parts.contracts import Encoder, PartConfig


class VariationalConfig(PartConfig):
    """Settings of the variational encoder."""

    kind: Literal["variational"] = "variational"
    width: int = Field(32, ge=1, description="of the latent vector")
    encoder: Annotated[SerializeAsAny[PartConfig], encoders.field()] = Field(
        default_factory=LSTMEncoderConfig, description="the encoder that reads the source, a table with its kind"
    )

    @property
    def innermost(self) -> PartConfig:
        """Settings of the encoder that is given the source."""
        return self.encoder.innermost


@encoders.register
class VariationalEncoder(Encoder):
    """q(z | x) = N(μ, σ²) with μ and log σ² linear in the wrapped encoder's summary; z = μ + σ ε, ε ~ N(0, 1) (Kingma & Welling 2014).

    All that a decoder gets of a source is z (Bowman et al. 2016): it is the summary, and the state of every position, so that
    any link can read it. When not training, z is μ.
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
        noise = torch.randn_like(mean_BZ) * (0.5 * log_variance_BZ).exp() if self.training else 0
        sample_BZ = mean_BZ + noise
        states_BSZ = sample_BZ[:, None].expand(-1, read.mask.shape[1], -1)
        return Memory(states_BSZ, read.mask, summary=sample_BZ, latent=Latent(mean_BZ, log_variance_BZ, sample_BZ))
