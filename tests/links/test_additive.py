from __future__ import annotations

import math

import torch

from endash.links.additive import Additive, AdditiveConfig
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape

MASK = torch.tensor([[True] * 4, [True, True, False, False]])
READ = frozenset({"read"})


@torch.no_grad()
def test_additive_is_the_formula_of_bahdanau() -> None:
    torch.manual_seed(0)
    link = Additive(AdditiveConfig(inner=3), memory=MemoryShape(6), shape=DecoderShape(5, reads=2, start=0), ports=READ)
    h, s = torch.randn(2, 4, 6), torch.randn(2, 3, 5)
    got = link.read(s, link.open(Memory(h, MASK, summary=torch.randn(2, 6))), 1)
    W, b_W = link.query[1].weight.double(), link.query[1].bias.double()
    U, v = link.key[1].weight.double(), link.compare[1].weight[0].double()
    P, b_P = link.value[1].weight.double(), link.value[1].bias.double()
    for b in range(2):
        real = [k for k in range(4) if MASK[b, k]]
        for j in range(3):
            e = {i: float(v @ torch.tanh(W @ s[b, j].double() + b_W + U @ h[b, i].double())) for i in real}
            total = sum(math.exp(x) for x in e.values())
            alpha = {i: math.exp(e[i]) / total for i in real}
            c = sum(alpha[i] * (P @ h[b, i].double() + b_P) for i in real)
            for i in range(4):
                assert math.isclose(got.weights[b, 0, j, i].item(), alpha.get(i, 0.0), rel_tol=1e-5)  # float32
            torch.testing.assert_close(got.context[b, j].double(), c, rtol=1e-5, atol=1e-6)


def test_the_start_is_made_of_the_summary_where_a_decoder_takes_one() -> None:
    torch.manual_seed(0)
    shape = DecoderShape(5, reads=1, start=7)
    link = Additive(AdditiveConfig(), memory=MemoryShape(6), shape=shape, ports=READ | {"start"})
    mask = torch.tensor([[True, True], [False, False]])
    memory = Memory(torch.randn(2, 2, 6), mask, summary=torch.randn(2, 6))
    start = link.open(memory).start
    assert link.bridge is not None
    assert start is not None
    wanted = torch.tanh(memory.summary[0] @ link.bridge.project.weight.T + link.bridge.project.bias)
    torch.testing.assert_close(start[0], wanted)
    assert not start[1].any()  # an empty source says nothing
    reads_only = Additive(AdditiveConfig(), memory=MemoryShape(6), shape=shape, ports=READ)
    assert reads_only.open(memory).start is None
