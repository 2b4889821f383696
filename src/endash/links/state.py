"""The link `state`."""

from __future__ import annotations

from typing import Literal

from endash.config import Config
from endash.links.bridge import Bridge
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, Link, LinkState, MemoryShape, Port


class StateConfig(Config):
    """Settings of the link `state`: it has none."""

    kind: Literal["state"] = "state"


@links.register
class StateLink(Link):
    """The decoder starts from the memory's summary and reads nothing more (Sutskever et al. 2014; Cho et al. 2014)."""

    Config = StateConfig
    needs = frozenset({"summary"})
    offers = frozenset({"start"})

    def __init__(
        self, config: StateConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.bridge = Bridge(memory.width, shape.start)

    def open(self, memory: Memory) -> LinkState:
        """The initial state, from the summary."""
        assert memory.summary is not None
        return LinkState(mask=memory.mask, start=self.bridge(memory.summary, memory.mask.any(1, keepdim=True)))
