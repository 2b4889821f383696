from __future__ import annotations

import pytest
import torch
from learning import share_learned
from torch import Tensor

from endash.decoders.ssru import SSRU, SSRUDecoder, SSRUDecoderConfig
from endash.encoders import encoders
from endash.links import links
from endash.links.dot import Dot, DotConfig
from endash.links.state import StateConfig, StateLink
from endash.memory import Memory
from endash.parts.contracts import MemoryShape, OpenLink

W = 6
CONFIG = SSRUDecoderConfig(width=W, layers=2, feed_forward=7, dropout=0.0)


@pytest.fixture
def memory() -> Memory:
    torch.manual_seed(1)
    return Memory(torch.randn(2, 4, W), torch.ones(2, 4, dtype=torch.bool), summary=torch.randn(2, W))


@pytest.fixture
def decoder() -> SSRUDecoder:
    torch.manual_seed(0)
    return SSRUDecoder(CONFIG, reads=True).eval()


def dot(memory: Memory) -> OpenLink:
    link = Dot(DotConfig(), memory=MemoryShape(W), shape=SSRUDecoder.shape(CONFIG), ports=frozenset({"read"}))
    return OpenLink(link, link.open(memory))


@torch.no_grad()
def test_the_equations_of_the_docstring_in_float64() -> None:
    torch.manual_seed(0)
    unit = SSRU(W)
    x, cell = torch.randn(3, 50, W), torch.randn(3, W)
    forget, value = (layer.weight.double() for layer in (unit.forget, unit.value))
    c, wanted = cell.double(), []
    for x_t in x.double().unbind(1):
        f = 1 / (1 + torch.exp(-(x_t @ forget.T + unit.forget.bias.double())))
        c = f * c + (1 - f) * (x_t @ value.T)
        wanted.append(c.clamp(min=0))
    # c is a weighted mean of what it was given, so 50 roundings of float32 do not pile up
    torch.testing.assert_close(unit(x, cell).double(), torch.stack(wanted, 1), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_the_layers_are_those_of_the_docstring(decoder: SSRUDecoder, memory: Memory) -> None:
    link, y = dot(memory), torch.randn(2, 3, W)
    x = decoder.positions(y)
    for layer in decoder.layers:
        x = x + layer.ssru(layer.around_ssru.norm(x), torch.zeros(2, W))
        x = x + (layer.around_link.norm(x) @ memory.states.mT).softmax(-1) @ memory.states
        x = x + layer.feed_forward(layer.around_feed_forward.norm(x))
    torch.testing.assert_close(decoder(y, link), decoder.norm(x), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_the_state_does_not_grow(decoder: SSRUDecoder, memory: Memory) -> None:
    link, sizes = dot(memory), set()
    state = decoder.start(link)
    for _ in range(20):
        _, state = decoder.step(torch.randn(2, 1, W), link, state)
        sizes.add(tuple(cell.shape for cell in state.cells))
    assert sizes == {((2, 1, W), (2, 1, W))}
    assert state.position == 20


@torch.no_grad()
def test_a_start_is_the_first_cell_of_each_layer(memory: Memory) -> None:
    torch.manual_seed(0)
    shape = SSRUDecoder.shape(CONFIG)
    decoder = SSRUDecoder(CONFIG, reads=False).eval()
    link = StateLink(StateConfig(), memory=MemoryShape(W), shape=shape, ports=frozenset({"start"}))
    opened = OpenLink(link, link.open(memory))
    assert opened.state.start is not None
    state = decoder.start(opened)
    assert torch.equal(torch.cat([cell[:, 0] for cell in state.cells], 1), opened.state.start)
    y = torch.randn(2, 1, W)
    torch.testing.assert_close(decoder.step(y, opened, state)[0], decoder(y, opened))
    other = OpenLink(link, link.open(memory.select([1, 0])))
    assert not torch.allclose(decoder(y, other), decoder(y, opened))


def test_bfloat16_keeps_its_cell_in_float32(memory: Memory) -> None:
    """f near 1 lets c move by less than bfloat16 can tell apart; float32 can."""
    unit = SSRU(W).to(torch.bfloat16)
    with torch.no_grad():
        unit.forget.weight.zero_()
        unit.forget.bias.fill_(6.0)  # f = 0.9975
        unit.value.weight.copy_(torch.eye(W))
        ones: Tensor = torch.ones(1, 1000, W, dtype=torch.bfloat16)
        out = unit(ones, torch.zeros(1, W))
    assert out.dtype == torch.bfloat16
    assert float(out[0, -1, 0]) == pytest.approx(
        1 - 0.9975**1000, abs=0.02
    )  # 8 bits keep no more; it would stop at 0.6


def test_it_learns_to_reverse_strings() -> None:
    share = share_learned(
        encoders.config("transformer")(width=48, layers=2, feed_forward=96, dropout=0.0),  # type: ignore[call-arg]
        links.config("cross-attention")(),
        SSRUDecoderConfig(width=48, layers=2, feed_forward=96, dropout=0.0),
        steps=400,
    )
    assert share >= 0.98
