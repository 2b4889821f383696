"""The link `additive`. Shapes: B batch, S source, Q queries, D widths, A inner width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from endash.config import Config
from endash.links.bridge import Bridge
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, Link, LinkState, MemoryShape, Port, Reading
from endash.parts.masks import hide, score_bias


class AdditiveConfig(Config):
    """Settings of the link `additive`."""

    kind: Literal["additive"] = "additive"
    inner: int | None = Field(None, ge=1, description="width of the comparison; the decoder's width by default")


@dataclass(frozen=True)
class AdditiveState(LinkState):
    """U h of each read (B, S, A), the states projected to the decoder's width (B, S, D), and the bias (B, 1, S)."""

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    bias: Tensor | None = None


@links.register
class Additive(Link):
    """e_ij = v · tanh(W s_j + U h_i), α = softmax over i, c_j = Σ_i α_ij h_i (Bahdanau et al. 2015, section A.1.2).

    A decoder that can start from a vector starts from s_0 = tanh(W_s summary). Departures: the context is projected to
    the decoder's width, and the query s_j has seen the token before position j already.
    """

    Config = AdditiveConfig
    needs = frozenset({"states", "summary"})
    offers = frozenset({"start", "read"})

    def __init__(
        self, config: AdditiveConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        inner = config.inner or shape.width
        self.query = nn.ModuleList(nn.Linear(shape.width, inner) for _ in range(shape.reads))
        self.key = nn.ModuleList(nn.Linear(memory.width, inner, bias=False) for _ in range(shape.reads))
        self.value = nn.ModuleList(nn.Linear(memory.width, shape.width) for _ in range(shape.reads))
        self.compare = nn.ModuleList(nn.Linear(inner, 1, bias=False) for _ in range(shape.reads))
        self.bridge = Bridge(memory.width, shape.start) if "start" in ports else None

    def open(self, memory: Memory) -> AdditiveState:
        """Project the memory's side of the comparison, the values and the start."""
        assert memory.summary is not None
        return AdditiveState(
            mask=memory.mask,
            start=self.bridge(memory.summary, memory.mask.any(1, keepdim=True)) if self.bridge is not None else None,
            keys=tuple(key(memory.states) for key in self.key),
            values=tuple(hide(value(memory.states), memory.mask) for value in self.value),
            bias=score_bias(memory.mask, memory.states.dtype)[:, None],
        )

    def read(self, query_BQD: Tensor, state: AdditiveState, layer: int) -> Reading:
        """The values weighted by how well each state compares with the query; see `Link`."""
        assert state.bias is not None
        compared = torch.tanh(self.query[layer](query_BQD)[:, :, None] + state.keys[layer][:, None])
        weights = (self.compare[layer](compared).squeeze(-1) + state.bias).softmax(dim=-1)
        return Reading(torch.matmul(weights, state.values[layer]), weights[:, None])
