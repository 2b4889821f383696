"""The link `general`. Shapes: B batch, S source, Q queries, D width of the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from endash.config import Config
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, Link, LinkState, MemoryShape, Port, Reading
from endash.parts.masks import hide, score_bias


class GeneralConfig(Config):
    """Settings of the link `general`: it has none."""

    kind: Literal["general"] = "general"


@dataclass(frozen=True)
class GeneralState(LinkState):
    """W h and V h of each read, both (B, S, D), and the scores' bias (B, 1, S)."""

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    bias: Tensor | None = None


@links.register
class General(Link):
    """α_ij = softmax over i of h_iᵀ W s_j, c_j = Σ_i α_ij V h_i (Luong et al. 2015, equation 8, general).

    `dot` with a matrix between the two sides, which so may differ in width. Departure: the context is projected to the
    decoder's width.
    """

    Config = GeneralConfig
    needs = frozenset({"states"})
    offers = frozenset({"read"})

    def __init__(
        self, config: GeneralConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.key = nn.ModuleList(nn.Linear(memory.width, shape.width, bias=False) for _ in range(shape.reads))
        self.value = nn.ModuleList(nn.Linear(memory.width, shape.width) for _ in range(shape.reads))

    def open(self, memory: Memory) -> GeneralState:
        """Project the memory's side of the comparison, and the values."""
        return GeneralState(
            mask=memory.mask,
            keys=tuple(key(memory.states) for key in self.key),
            values=tuple(hide(value(memory.states), memory.mask) for value in self.value),
            bias=score_bias(memory.mask, memory.states.dtype)[:, None],
        )

    def read(self, query_BQD: Tensor, state: GeneralState, layer: int) -> Reading:
        """The values weighted by the product of each state with the query; see `Link`."""
        assert state.bias is not None
        weights = (torch.matmul(query_BQD, state.keys[layer].transpose(1, 2)) + state.bias).softmax(dim=-1)
        return Reading(torch.matmul(weights, state.values[layer]), weights[:, None])
