"""The link `multi`, which reads the parts of a joined memory apart. Shapes: B batch, S source, Q queries, D width of the decoder, P parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from pydantic import Field, SerializeAsAny
from torch import Tensor, nn

from endash.config import Config
from endash.links.cross_attention import CrossAttentionConfig
from endash.links.registry import links
from endash.links.wrapping import Wrapper
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, LinkState, MemoryShape, Port, Reading
from endash.parts.masks import hide, score_bias


class MultiConfig(Config):
    """Settings of the link `multi`."""

    kind: Literal["multi"] = "multi"
    strategy: Literal["flat", "parallel", "serial", "hierarchical"] = Field(
        "hierarchical",
        description="one reading of all parts; the sum of a reading of each; one after the other; a weighting of their readings",
    )
    link: Annotated[SerializeAsAny[Config], links.field()] = Field(
        default_factory=CrossAttentionConfig, description="the link that reads each part, a table with its kind"
    )


@dataclass(frozen=True)
class MultiState(LinkState):
    """What the link of each part opened, and which rows have that part, (B, P)."""

    parts: tuple[LinkState, ...] = ()
    there: Tensor | None = None


@links.register
class Multi(Wrapper):
    """Several sources, each read by a link of its own (Libovický et al. 2018, section 3).

    c_p is what the link of part p reads with the query s: flat: one link reads all parts as one; parallel: Σ_p c_p;
    serial: part p is asked with s + c_1 + … + c_{p-1}, and all c are added; hierarchical: Σ_p β_p c_p with β = softmax over p of
    v · tanh(W s + U c_p). A part that a row does not have gives nothing. A memory's parts are the source and the passages
    joined to it. The weights are shares of all that was read: β times each part's, or their mean.
    """

    Config = MultiConfig

    def __init__(
        self, config: MultiConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.strategy = config.strategy
        parts = 1 if config.strategy == "flat" else memory.segments
        self.links = nn.ModuleList(
            links.build(config.link, memory=memory, shape=shape, ports=ports) for _ in range(parts)
        )
        choosing = shape.reads if config.strategy == "hierarchical" and parts > 1 else 0
        self.asked = nn.ModuleList(nn.Linear(shape.width, shape.width) for _ in range(choosing))
        self.found = nn.ModuleList(nn.Linear(shape.width, shape.width, bias=False) for _ in range(choosing))
        self.compare = nn.ModuleList(nn.Linear(shape.width, 1, bias=False) for _ in range(choosing))

    def open(self, memory: Memory) -> MultiState:
        """Open each part's link for the memory with that part's positions alone."""
        masks = [memory.mask]
        if len(self.links) > 1:
            segments = (
                memory.segments if memory.segments is not None else torch.zeros_like(memory.mask, dtype=torch.long)
            )
            masks = [memory.mask & (segments == part) for part in range(len(self.links))]
        parts = tuple(link.open(replace(memory, mask=mask)) for link, mask in zip(self.links, masks, strict=True))  # type: ignore[operator]
        return MultiState(mask=memory.mask, parts=parts, there=torch.stack([mask.any(1) for mask in masks], 1))

    def read(self, query_BQD: Tensor, state: MultiState, layer: int) -> Reading:
        """What all parts give; see `Link`."""
        assert state.there is not None
        readings: list[Reading] = []
        asking = query_BQD
        for link, part, there_B in zip(self.links, state.parts, state.there.unbind(1), strict=True):
            reading = _where(link.read(asking, part, layer), there_B)  # type: ignore[operator]
            readings.append(reading)
            if self.strategy == "serial":
                asking = asking + reading.context
        contexts_BQPD = torch.stack([reading.context for reading in readings], 2)
        if len(self.asked):
            shares_BQP = self._shares(query_BQD, contexts_BQPD, state.there, layer)
            context = (shares_BQP[..., None] * contexts_BQPD).sum(2)
        else:
            shares_BQP = (state.there / state.there.sum(1, keepdim=True).clamp(min=1))[:, None].to(query_BQD.dtype)
            context = contexts_BQPD.sum(2)
        weights = [reading.weights for reading in readings if reading.weights is not None]
        if not weights:
            return Reading(context, None)
        return Reading(context, sum(shares_BQP[:, None, :, p, None] * one for p, one in enumerate(weights)))  # type: ignore[arg-type]

    def _shares(self, query_BQD: Tensor, contexts_BQPD: Tensor, there_BP: Tensor, layer: int) -> Tensor:
        """β (B, Q, P), 0 for a part that is not there."""
        compared = torch.tanh(self.asked[layer](query_BQD)[:, :, None] + self.found[layer](contexts_BQPD))
        scores = self.compare[layer](compared)[..., 0] + score_bias(there_BP, query_BQD.dtype)[:, None]
        shares: Tensor = scores.softmax(-1)
        return shares


def _where(reading: Reading, there_B: Tensor) -> Reading:
    """The reading, with zeros in the rows that have nothing to read."""
    there_B1 = there_B[:, None]
    weights = (
        None
        if reading.weights is None
        else hide(reading.weights.flatten(1)[:, None], there_B1).view_as(reading.weights)
    )
    return Reading(hide(reading.context.flatten(1)[:, None], there_B1).view_as(reading.context), weights)
