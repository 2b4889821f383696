from __future__ import annotations

import torch
from torch import nn

from endash.links.cross_attention import CrossAttention, CrossAttentionConfig
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape

MASK = torch.tensor([[True] * 4, [True, True, False, False]])


def test_each_read_is_torchs_attention_with_parameters_of_its_own() -> None:
    torch.manual_seed(0)
    link = CrossAttention(
        CrossAttentionConfig(heads=2),
        memory=MemoryShape(6),
        shape=DecoderShape(8, reads=2, start=0),
        ports=frozenset({"read"}),
    )
    states, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 8)
    opened = link.open(Memory(states, MASK))
    for number, ours in enumerate(link.attention):
        theirs = nn.MultiheadAttention(8, 2, batch_first=True, kdim=6, vdim=6)
        key, value = ours.key_value.weight.chunk(2)
        with torch.no_grad():
            theirs.q_proj_weight.copy_(ours.query.weight)
            theirs.k_proj_weight.copy_(key)
            theirs.v_proj_weight.copy_(value)
            theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
            theirs.out_proj.load_state_dict(ours.output.state_dict())
        wanted, weights = theirs(queries, states, states, key_padding_mask=~MASK, average_attn_weights=False)
        got = link.read(queries, opened, number)
        torch.testing.assert_close(got.context, wanted, rtol=1e-5, atol=1e-6)  # float32 sums of 8 terms
        torch.testing.assert_close(got.weights, weights, rtol=1e-5, atol=1e-6)
