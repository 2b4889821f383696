"""From a memory's summary to a decoder's initial state. Shapes: B batch, D width, N numbers in the initial state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from endash.memory import Memory
from endash.parts.masks import hide


class Bridge(nn.Module):
    """tanh(W summary + b) (Bahdanau et al. 2015, section A.2.2), zeros for an empty source."""

    def __init__(self, memory_width: int, start: int) -> None:
        super().__init__()
        self.project = nn.Linear(memory_width, start)

    def forward(self, memory: Memory) -> Tensor:
        """(B, N)."""
        assert memory.summary is not None
        start: Tensor = torch.tanh(self.project(memory.summary))
        return hide(start[:, None], memory.mask.any(1, keepdim=True))[:, 0]
