"""What a noise is, and where noises are registered. Shapes: N tokens of a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from endash.config import Config
from endash.objectives.noise.symbols import Symbols
from endash.registry import Registry
from endash.text.config import TextConfig

Tokens = NDArray[np.int64]


class Noise(ABC):
    """Makes an example of a text alone: a source to read, and a target from which the text can be told again.

    A class of its own for each kind, registered in `noises` with its nested Config.
    """

    Config: ClassVar[type[Config]]

    def __init__(self, config: Any, symbols: Symbols) -> None:
        self.config, self.symbols = config, symbols

    @abstractmethod
    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """Source and target of a text, all three without eos; a generator in the same state gives the same two.

        The source has at most N tokens, the target too, but for a text of one token, whose target may have two. An empty text
        gives two empty ones.
        """

    def shortfall(self, tokens_N: Tokens) -> str | None:
        """Why this text gets less noise than the settings ask for: words that follow a count of texts. None if it gets all."""
        return None

    @classmethod
    def why_not(cls, config: Any, text: TextConfig) -> str | None:
        """Why this noise does not go with the settings of a recipe's ``[text]`` section; None if it does."""
        return None


noises: Registry[Noise] = Registry("noise")


def generator(seed: int, *, epoch: int, row: int) -> np.random.Generator:
    """What the noise of an example is drawn by: the same in whichever process its batch is made, and after a run was resumed.

    `row` is the example's place among all, which come once an epoch; none of the three may be negative.
    """
    return np.random.default_rng([seed, epoch, row])
