"""Dense vectors. Shapes: B batch, S positions, F features, D width."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from endash.errors import ModelError
from endash.frontends.registry import frontends
from endash.parts.contracts import Frontend, FrontendConfig, Padded


class FeaturesConfig(FrontendConfig):
    """Settings of the features frontend."""

    reads: ClassVar = "features"

    kind: Literal["features"] = "features"
    size: int = Field(80, ge=1, description="numbers at each position")

    def positions(self, shape: tuple[int, ...]) -> int:
        """S, of features (S, F)."""
        return shape[0]


@frontends.register
class Features(Frontend):
    """Vectors that were made elsewhere, such as those of detected objects or of a time series: W f + b at each position."""

    Config = FeaturesConfig

    def __init__(self, config: FeaturesConfig, *, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(config.size, width)

    def forward(self, source: Padded) -> Padded:
        """Vectors (B, S, F) with a mask (B, S) → (B, S, D). Raises ModelError for another F."""
        found, wanted = source.values.shape[-1], self.projection.in_features
        if found != wanted:
            raise ModelError(f"each position has {found} features, and frontend.size = {wanted}: set it to {found}")
        return Padded(self.projection(source.values), source.mask)
