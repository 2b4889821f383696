"""The noise `infilling`. Shapes: N tokens of a text, K spans."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from endash.config import Config
from endash.objectives.noise.contract import Tokens, noises
from endash.objectives.noise.masking import Masking
from endash.objectives.noise.spans import drawn_count, placed, poisson_parts


class InfillingConfig(Config):
    """Settings of the noise `infilling`."""

    kind: Literal["infilling"] = "infilling"
    rate: Annotated[float, Field(gt=0, lt=1, description="share of the tokens that are left out")] = 0.3
    mean_span: Annotated[float, Field(ge=1, description="how many of them one mask stands for, on average")] = 3.0


@noises.register
class Infilling(Masking):
    """One mask stands for each span that is left out, be it empty; the target is the whole text (Lewis et al. 2020, section 2.2).

    The spans' lengths are Poisson numbers. Departure: there are no more masks than tokens left out, so that no source is longer
    than its text.
    """

    Config = InfillingConfig

    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """See `Noise`."""
        if len(tokens_N) == 0:
            return tokens_N, tokens_N
        hidden = min(drawn_count(len(tokens_N) * self.config.rate, random), len(tokens_N))
        lengths_K = poisson_parts(hidden, self.config.mean_span, random)
        inside_N, before_K = placed(lengths_K, len(tokens_N), random, apart=False)
        return np.insert(tokens_N[~inside_N], before_K, self.symbols.mask), tokens_N
