import torch

from endash.links.cross_attention import CrossAttentionConfig
from endash.links.gated import Gated, GatedConfig
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape


def test_a_closed_gate_lets_nothing_through_and_an_open_one_what_the_link_reads() -> None:
    torch.manual_seed(0)
    config = GatedConfig(link=CrossAttentionConfig(heads=2))
    gated = Gated(config, memory=MemoryShape(6), shape=DecoderShape(4, reads=2, start=0), ports=frozenset({"read"}))
    memory, query = Memory(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)), torch.randn(2, 5, 4)
    state = gated.open(memory)
    assert not gated.read(query, state, 0).context.any()
    with torch.no_grad():
        gated.gate[1] = 0.7
    inner = gated.link.read(query, gated.link.open(memory), 1)
    torch.testing.assert_close(gated.read(query, state, 1).context, torch.tanh(torch.tensor(0.7)) * inner.context)
    torch.testing.assert_close(gated.read(query, state, 1).weights, inner.weights)
