"""The link `prefix`. Shapes: B batch, S source, D width."""

from __future__ import annotations

from typing import Literal

from torch import nn

from endash.config import Config
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, Link, LinkState, MemoryShape, Port
from endash.parts.masks import hide


class PrefixConfig(Config):
    """Settings of the link `prefix`: it has none."""

    kind: Literal["prefix"] = "prefix"


@links.register
class Prefix(Link):
    """The memory stands before the target, and the decoder's self-attention reads it there (Liu et al. 2018; Raffel et al. 2020, prefix LM).

    Its states, projected to the decoder's width, go through the decoder's layers as further positions: they see each
    other, the target sees them, and they see no target. They know their place already, so none is added.
    """

    Config = PrefixConfig
    needs = frozenset({"states"})
    offers = frozenset({"prefix"})

    def __init__(
        self, config: PrefixConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.project = nn.Linear(memory.width, shape.width)

    def open(self, memory: Memory) -> LinkState:
        """The projected states."""
        return LinkState(mask=memory.mask, prefix=hide(self.project(memory.states), memory.mask))
