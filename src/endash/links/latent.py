"""The link `latent`. Shapes: B batch, Q queries, D width of the decoder, Z width of the latent vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from endash.config import Config
from endash.links.bridge import Bridge
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, Link, LinkState, MemoryShape, Port, Reading
from endash.parts.masks import hide


class LatentConfig(Config):
    """Settings of the link `latent`: it has none."""

    kind: Literal["latent"] = "latent"


@dataclass(frozen=True)
class LatentState(LinkState):
    """V z of each read, (B, D)."""

    contexts: tuple[Tensor, ...] = ()


@links.register
class LatentLink(Link):
    """The decoder starts from tanh(W z), and gets σ(G s_j) ⊙ V z at each step (Bowman et al. 2016, section 3.1).

    z is the latent vector of a variational encoder; it has no positions, so there are no weights to look at. Departure: the gate,
    by which a position takes as much of z as it has use for.
    """

    Config = LatentConfig
    needs = frozenset({"latent"})
    offers = frozenset({"start", "read"})

    def __init__(
        self, config: LatentConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.context = nn.ModuleList(nn.Linear(memory.width, shape.width) for _ in range(shape.reads))
        self.gate = nn.ModuleList(nn.Linear(shape.width, shape.width) for _ in range(shape.reads))
        self.bridge = Bridge(memory.width, shape.start) if "start" in ports else None

    def open(self, memory: Memory) -> LatentState:
        """Project the latent vector for the start and for each read; zeros for an empty source."""
        assert memory.latent is not None
        z_BZ, some_B1 = memory.latent.sample, memory.mask.any(1, keepdim=True)
        contexts = tuple(hide(context(z_BZ)[:, None], some_B1)[:, 0] for context in self.context)
        start = self.bridge(z_BZ, some_B1) if self.bridge is not None else None
        return LatentState(mask=memory.mask, start=start, contexts=contexts)

    def read(self, query_BQD: Tensor, state: LatentState, layer: int) -> Reading:
        """What each query's gate lets through; see `Link`."""
        return Reading(torch.sigmoid(self.gate[layer](query_BQD)) * state.contexts[layer][:, None], None)
