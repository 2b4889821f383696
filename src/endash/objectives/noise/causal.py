"""The noise `causal`. Shapes: N tokens of a text."""

from __future__ import annotations

from typing import Literal

import numpy as np

from endash.config import Config
from endash.objectives.noise.contract import Noise, Tokens, noises


class CausalConfig(Config):
    """Settings of the noise `causal`; it has none."""

    kind: Literal["causal"] = "causal"


@noises.register
class Causal(Noise):
    """Causal language modelling: the source is empty, and the decoder writes the text by what it wrote before."""

    Config = CausalConfig

    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """See `Noise`."""
        return tokens_N[:0], tokens_N
