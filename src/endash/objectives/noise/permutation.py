"""The noise `permutation`. Shapes: N tokens of a text."""

from __future__ import annotations

from typing import Literal

import numpy as np

from endash.config import Config
from endash.objectives.noise.contract import Noise, Tokens, noises


class PermutationConfig(Config):
    """Settings of the noise `permutation`; it has none."""

    kind: Literal["permutation"] = "permutation"


@noises.register
class Permutation(Noise):
    """The sentences in a random order; the target is the text (Lewis et al. 2020, section 2.2). A text of one is only to be copied."""

    Config = PermutationConfig

    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """See `Noise`."""
        sentences = self.symbols.sentences(tokens_N)
        return np.concatenate([sentences[place] for place in random.permutation(len(sentences))]), tokens_N

    def shortfall(self, tokens_N: Tokens) -> str | None:
        """See `Noise`."""
        return None if len(self.symbols.sentences(tokens_N)) > 1 else "of one sentence: there is no other order"
