"""A network with a memory in place, as search sees it: two calls and a state. Shapes: B rows, K beams, V vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from endash.memory import Memory
from endash.network import Network, Written
from endash.parts.contracts import OpenLink


@dataclass(frozen=True)
class SearchState:
    """What search carries: what the network does of the target so far, and the open link it reads through."""

    link: OpenLink
    written: Written

    def select(self, rows: Tensor) -> SearchState:
        """The state of these rows."""
        return SearchState(self.link.select(rows), self.written.select(rows))

    def reorder(self, parents_BK: Tensor) -> SearchState:
        """Beams that go on from their parents; the link stays as it is."""
        return replace(self, written=self.written.reorder(parents_BK))


class NetworkStepper:
    """The `Stepper` of a network and the memory it decodes."""

    def __init__(self, network: Network, memory: Memory) -> None:
        self.network, self.memory = network, memory
        self.rows, self.vocabulary, self.device = len(memory), len(network.head.bias), memory.states.device

    def start(self) -> SearchState:
        """The state before the first token."""
        link = self.network.open(self.memory)
        return SearchState(link, self.network.start(link))

    def step(self, tokens_BK: Tensor, state: SearchState) -> tuple[Tensor, SearchState]:
        """Scores (B, K, V) of what follows these tokens, and the state after them."""
        scores, after = self.network.step(tokens_BK, state.link, state.written)
        return scores, SearchState(state.link, after)
