"""The settings of a recipe's ``[text]`` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from endash.config import Config


class TextConfig(Config):
    """How text becomes tokens."""

    model: Literal["unigram", "bpe", "imported"] = "unigram"  # how it was learned; imported: elsewhere
    size: int = Field(8000, ge=300)  # tokens of a vocabulary, special ones included; a small corpus may fill fewer
    joint: bool = True  # one vocabulary for source and target
    placeholders: bool = True  # keep {name}, %s, <b> whole
    max_length: int = Field(256, ge=8)  # tokens of a source, its end included
