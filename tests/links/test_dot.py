from __future__ import annotations

import math

import torch

from endash.links.dot import Dot, DotConfig
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape

MASK = torch.tensor([[True] * 4, [True, True, False, False]])


def test_dot_is_exactly_its_formula() -> None:
    torch.manual_seed(0)
    link = Dot(DotConfig(), memory=MemoryShape(6), shape=DecoderShape(6, reads=2, start=0), ports=frozenset({"read"}))
    h, s = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    state = link.open(Memory(h, MASK))
    got = link.read(s, state, 1)
    for b in range(2):
        real = [k for k in range(4) if MASK[b, k]]
        for j in range(3):
            powers = {k: math.exp(float(h[b, k].double() @ s[b, j].double())) for k in real}
            alpha = {i: powers[i] / sum(powers.values()) for i in real}
            c = sum(alpha[i] * h[b, i].double() for i in real)
            for i in range(4):
                assert math.isclose(got.weights[b, 0, j, i].item(), alpha.get(i, 0.0), rel_tol=1e-5)  # float32
            torch.testing.assert_close(got.context[b, j].double(), c, rtol=1e-5, atol=1e-6)
    assert list(link.parameters()) == []


def test_an_empty_source_gives_zeros() -> None:
    link = Dot(DotConfig(), memory=MemoryShape(6), shape=DecoderShape(6, reads=1, start=0), ports=frozenset({"read"}))
    state = link.open(Memory(torch.randn(1, 4, 6), torch.zeros(1, 4, dtype=torch.bool)))
    assert not link.read(torch.randn(1, 3, 6), state, 0).context.any()
