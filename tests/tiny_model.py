"""A tiny model with random parameters."""

from __future__ import annotations

from functools import cache

import torch

from endash.model import Model
from endash.recipe import Recipe
from endash.retrieval import PairIndex
from endash.text import Codec

NOUNS = ("door", "light", "lock", "fan", "window", "heater", "garden", "kitchen", "cellar", "roof")
STATES = ("on", "off", "open", "closed", "warm", "cold", "new", "old", "red", "green")
PAIRS = [(f"The {noun} is {state}.", f"Das {noun} war {state}.") for noun in NOUNS for state in STATES]
RECIPE = """
name = "tiny"
corpus = { train = { kind = "tsv", path = "pairs.tsv" } }
text = { size = 400, max_length = 40 }
encoder = { kind = "transformer", width = 16, layers = 1, heads = 2, feed_forward = 16 }
link = { kind = "cross-attention", heads = 2 }
decoder = { kind = "transformer", width = 16, layers = 1, heads = 2, feed_forward = 16 }
decoding = { beam = 2, max_ratio = 1.0, max_extra = 3 }
"""
TEXTS = ["The door is open.", "The light, the lock and the fan are off.", "on", "The roof is new and cold and old."]


@cache
def trained_codec() -> Codec:
    return Codec.train(lambda: PAIRS, Recipe.parse(RECIPE).text)


def build(codec: Codec, *overrides: str, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    recipe = Recipe.parse(RECIPE, overrides)
    model = Model.build(recipe, codec, pairs=PairIndex.build(PAIRS) if recipe.retrieval else None)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(2)  # a source then changes what is written
    return model
