"""The link `dot`. Shapes: B batch, S source, Q queries, D width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from endash.config import Config
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import Link, LinkState, PartConfig, Reading
from endash.parts.masks import hide, score_bias


class DotConfig(Config):
    """Settings of the link `dot`: it has none."""

    kind: Literal["dot"] = "dot"


@dataclass(frozen=True)
class DotState(LinkState):
    """The memory's states (B, S, D) with zeros at padding, and the scores' bias (B, 1, S)."""

    states: Tensor | None = None
    bias: Tensor | None = None


@links.register
class Dot(Link):
    """α_ij = exp(h_i · s_j) / Σ_k exp(h_k · s_j), c_j = Σ_i α_ij h_i (Luong et al. 2015, equations 7 and 8, dot).

    h_i is the memory's state at source position i, s_j the decoder's at target position j. No parameters, no scaling: both
    sides must be of one width, and every read sees the same memory.
    """

    Config = DotConfig
    needs = frozenset({"states"})
    offers = frozenset({"read"})

    @classmethod
    def why_not(cls, config: Any, encoder: PartConfig, decoder: PartConfig, *, reads: int) -> str | None:
        """A dot product needs equal widths."""
        if encoder.width == decoder.width:
            return None
        return (
            f"link.kind = 'dot' multiplies states of one width, and encoder.kind = {encoder.kind!r} has width "
            f"{encoder.width}, decoder.kind = {decoder.kind!r} width {decoder.width}: set decoder.width = {encoder.width}"
        )

    def open(self, memory: Memory) -> DotState:
        """Keep the states as they are."""
        bias = score_bias(memory.mask, memory.states.dtype)[:, None]
        return DotState(mask=memory.mask, states=hide(memory.states, memory.mask), bias=bias)

    def read(self, query_BQD: Tensor, state: DotState, layer: int) -> Reading:
        """The states weighted by their product with each query; see `Link`."""
        assert state.states is not None
        assert state.bias is not None
        weights = (torch.matmul(query_BQD, state.states.transpose(1, 2)) + state.bias).softmax(dim=-1)
        return Reading(torch.matmul(weights, state.states), weights[:, None])
