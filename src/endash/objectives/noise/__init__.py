"""Noise: of a text alone an example is made, to pretrain by. A file each; importing this package registers them."""

from endash.objectives.noise import causal, infilling, masked, mixture, permutation, span_corruption
from endash.objectives.noise.contract import Noise, Tokens, generator, noises
from endash.objectives.noise.symbols import Symbols

__all__ = [
    "Noise",
    "Symbols",
    "Tokens",
    "causal",
    "generator",
    "infilling",
    "masked",
    "mixture",
    "noises",
    "permutation",
    "span_corruption",
]
