from __future__ import annotations

import pytest
import torch

from endash.links.state import StateConfig, StateLink
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape


def test_the_start_is_the_bridge_of_the_summary_and_nothing_can_be_read() -> None:
    torch.manual_seed(0)
    shape = DecoderShape(5, reads=1, start=10)
    link = StateLink(StateConfig(), memory=MemoryShape(4), shape=shape, ports=frozenset({"start"}))
    memory = Memory(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), summary=torch.randn(2, 4))
    state = link.open(memory)
    assert memory.summary is not None
    torch.testing.assert_close(state.start, torch.tanh(link.bridge.project(memory.summary)))
    with pytest.raises(TypeError, match="StateLink offers no read port"):
        link.read(torch.randn(2, 1, 5), state, 0)
