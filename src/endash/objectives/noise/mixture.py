"""The noise `mixture`. Shapes: N tokens of a text."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, SerializeAsAny, model_validator

from endash.config import Config
from endash.objectives.noise.contract import Noise, Tokens, noises
from endash.objectives.noise.symbols import Symbols
from endash.registry import kind_of
from endash.text.config import TextConfig


class MixtureConfig(Config):
    """Settings of the noise `mixture`."""

    kind: Literal["mixture"] = "mixture"
    noises: Annotated[
        tuple[Annotated[SerializeAsAny[Config], noises.field()], ...],
        Field(min_length=1, description="a table with its kind each"),
    ]
    shares: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...],
        Field(description="how often each is drawn, in proportion to the others; equally often by default"),
    ] = ()

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.shares and len(self.shares) != len(self.noises):
            raise ValueError(
                f"{len(self.shares)} shares for {len(self.noises)} noises: give one for each, or leave shares out"
            )
        return self


@noises.register
class Mixture(Noise):
    """One of several noises, drawn for each text and each time anew (Tay et al. 2023, mixture of denoisers).

    Departure: no token says which, so the model sees it from the source alone.
    """

    Config = MixtureConfig

    def __init__(self, config: MixtureConfig, symbols: Symbols) -> None:
        super().__init__(config, symbols)
        self.noises = [noises.build(one, symbols) for one in config.noises]
        shares = np.array(config.shares or [1.0] * len(self.noises))
        self.upto = (shares / shares.sum()).cumsum()

    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """See `Noise`."""
        drawn = int(np.searchsorted(self.upto[:-1], random.random(), side="right"))
        return self.noises[drawn].corrupt(tokens_N, random)

    def shortfall(self, tokens_N: Tokens) -> str | None:
        """See `Noise`: what the first of them has to tell that has any."""
        return next(filter(None, (noise.shortfall(tokens_N) for noise in self.noises)), None)

    @classmethod
    def why_not(cls, config: Any, text: TextConfig) -> str | None:
        """See `Noise`."""
        reasons = (noises[kind_of(one)].why_not(one, text) for one in config.noises)
        return next(filter(None, reasons), None)
