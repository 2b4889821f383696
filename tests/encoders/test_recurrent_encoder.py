from __future__ import annotations

import pytest
import torch
from torch import nn

from endash.encoders import encoders

MASK = torch.tensor([[True] * 6, [True, True, True, False, False, False], [True] + [False] * 5])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_the_states_are_those_of_torchs_packed_sequences(kind: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    config = encoders.config(kind)(width=8, layers=2, bidirectional=bidirectional, dropout=0.0)
    ours = encoders.build(config).eval()
    half = 4 if bidirectional else 8
    cell = {"lstm": nn.LSTM, "gru": nn.GRU}[kind]
    theirs = cell(8, half, num_layers=2, bidirectional=bidirectional, batch_first=True)
    with torch.no_grad():
        for direction, layers in {"": ours.forward_layers, "_reverse": ours.backward_layers}.items():
            for depth, layer in enumerate(layers):
                for name, parameter in layer.named_parameters():
                    theirs.get_parameter(name.replace("_l0", f"_l{depth}{direction}")).copy_(parameter)
    x = torch.randn(3, 6, 8)
    packed = nn.utils.rnn.pack_padded_sequence(x, MASK.sum(1), batch_first=True)
    states, last = theirs(packed)
    wanted = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)[0]
    h = last[0] if kind == "lstm" else last
    memory = ours(x, MASK)
    torch.testing.assert_close(memory.states, wanted, rtol=1e-5, atol=1e-6)  # the same sums, in another order
    ends = torch.cat([h[-2], h[-1]], dim=1) if bidirectional else h[-1]
    torch.testing.assert_close(memory.summary, ends, rtol=1e-5, atol=1e-6)
