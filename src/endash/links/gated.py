"""The link `gated`, which wraps another. Shapes: B batch, Q queries, D width of the decoder."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, SerializeAsAny
from torch import Tensor, nn

from endash.config import Config
from endash.links.cross_attention import CrossAttentionConfig
from endash.links.registry import links
from endash.links.wrapping import Wrapper
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, LinkState, MemoryShape, Port, Reading


class GatedConfig(Config):
    """Settings of the link `gated`."""

    kind: Literal["gated"] = "gated"
    link: Annotated[SerializeAsAny[Config], links.field()] = Field(
        default_factory=CrossAttentionConfig, description="the link that is gated, a table with its kind"
    )


@links.register
class Gated(Wrapper):
    """tanh(g_i) · read_i, with g = 0 to begin with (Alayrac et al. 2022, section 2.2).

    So an encoder can be joined to an already trained decoder without disturbing it: at first the decoder writes as it did
    alone, and learns to listen from there. The wrapped link has to offer `read`; its other ports are not used.
    """

    Config = GatedConfig

    def __init__(
        self, config: GatedConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.link = links.build(config.link, memory=memory, shape=shape, ports=ports)
        self.gate = nn.Parameter(torch.zeros(shape.reads))

    def open(self, memory: Memory) -> LinkState:
        """What the wrapped link opens."""
        return self.link.open(memory)

    def read(self, query_BQD: Tensor, state: Any, layer: int) -> Reading:
        """What the wrapped link reads, through the gate."""
        reading = self.link.read(query_BQD, state, layer)
        return Reading(torch.tanh(self.gate[layer]) * reading.context, reading.weights)
