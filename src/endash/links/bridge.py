"""From one vector for a source, such as its summary, to a decoder's initial state. Shapes: B batch, D width, N numbers in the initial state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from endash.parts.masks import hide


class Bridge(nn.Module):
    """tanh(W summary + b) (Bahdanau et al. 2015, section A.2.2), zeros for an empty source."""

    def __init__(self, memory_width: int, start: int) -> None:
        super().__init__()
        self.project = nn.Linear(memory_width, start)

    def forward(self, summary_BD: Tensor, some_B1: Tensor) -> Tensor:
        """(B, N); `some_B1` is False for an empty source."""
        start: Tensor = torch.tanh(self.project(summary_BD))
        return hide(start[:, None], some_B1)[:, 0]
