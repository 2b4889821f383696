from __future__ import annotations

import pytest
import torch
from torch import Tensor

from endash.decoders import decoders
from endash.links.dot import Dot, DotConfig
from endash.links.state import StateConfig, StateLink
from endash.memory import Memory
from endash.parts.contracts import MemoryShape, OpenLink

W = 5


@pytest.fixture
def memory() -> Memory:
    torch.manual_seed(1)
    return Memory(torch.randn(2, 4, W), torch.ones(2, 4, dtype=torch.bool), summary=torch.randn(2, W))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@torch.no_grad()
def test_the_equations_of_the_docstring(kind: str, memory: Memory) -> None:
    torch.manual_seed(0)
    config = decoders.config(kind)(width=W, layers=2, dropout=0.0)
    decoder = decoders.build(config, reads=True).eval()
    dot = Dot(DotConfig(), memory=MemoryShape(W), shape=type(decoder).shape(config), ports=frozenset({"read"}))
    link = OpenLink(dot, dot.open(memory))
    y = torch.randn(2, 3, W)
    h1 = decoder.layers[0](y)[0]
    alpha = (h1 @ memory.states.transpose(1, 2)).softmax(-1)
    c = alpha @ memory.states
    h2 = h1 + decoder.layers[1](torch.cat([h1, c], -1))[0]
    wanted = torch.tanh(decoder.output(torch.cat([h2, c], -1)))
    torch.testing.assert_close(decoder(y, link), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@torch.no_grad()
def test_a_start_is_dealt_out_to_the_layers_in_order(kind: str, memory: Memory) -> None:
    torch.manual_seed(0)
    config = decoders.config(kind)(width=W, layers=2, dropout=0.0)
    decoder = decoders.build(config, reads=False).eval()
    shape = type(decoder).shape(config)
    state = StateLink(StateConfig(), memory=MemoryShape(W), shape=shape, ports=frozenset({"start"}))
    link = OpenLink(state, state.open(memory))
    start = link.state.start
    assert start is not None
    assert start.shape == (2, shape.start)
    pieces = list(start.split(W, 1))

    def first() -> Tensor | tuple[Tensor, Tensor]:
        h = pieces.pop(0)[None].contiguous()
        return h if kind == "gru" else (h, pieces.pop(0)[None].contiguous())

    y = torch.randn(2, 3, W)
    h1 = decoder.layers[0](y, first())[0]
    h2 = h1 + decoder.layers[1](h1, first())[0]
    torch.testing.assert_close(decoder(y, link), torch.tanh(decoder.output(h2)), rtol=1e-5, atol=1e-6)
    assert not pieces
