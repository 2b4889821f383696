"""The noise `masked`. Shapes: N tokens of a text."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from endash.config import Config
from endash.objectives.noise.contract import Tokens, noises
from endash.objectives.noise.masking import Masking
from endash.objectives.noise.spans import drawn_count


class MaskedConfig(Config):
    """Settings of the noise `masked`."""

    kind: Literal["masked"] = "masked"
    rate: Annotated[float, Field(gt=0, lt=1, description="share of the tokens that are masked")] = 0.15


@noises.register
class Masked(Masking):
    """Masked language modelling for an encoder with a decoder: a mask for each token chosen; the target is those tokens, in order.

    Departures from Devlin et al. 2019, section 3.1: the decoder writes them, not a head on the encoder; and all are masked,
    none kept or exchanged, for it could not know of those.
    """

    Config = MaskedConfig

    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """See `Noise`."""
        count = len(tokens_N)
        chosen = min(drawn_count(count * self.config.rate, random), count)
        places = np.sort(random.choice(count, chosen, replace=False))
        source = tokens_N.copy()
        source[places] = self.symbols.mask
        return source, tokens_N[places]
