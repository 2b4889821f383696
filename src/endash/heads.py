"""The head: from hidden states to scores over the vocabulary. Shapes: B batch, T target positions, D width, V vocabulary."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from endash.config import Config


class HeadConfig(Config):
    """Section ``[head]`` of a recipe."""

    tie: Literal["all", "target", "none"] = Field(
        "all",
        description="what shares one matrix: source embedding, target embedding and projection; the last two; nothing",
    )


class Head(nn.Module):
    """scores = W h + b; W may be the target embedding's own matrix (Press & Wolf 2017)."""

    def __init__(self, width: int, vocabulary: int, *, tied: nn.Embedding | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocabulary, width) * width**-0.5) if tied is None else tied.weight
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """Unnormalised log-probabilities (B, T, V)."""
        return nn.functional.linear(hidden_BTD, self.weight, self.bias)
