from __future__ import annotations

import pytest
import torch
from torch import nn

from endash.encoders.transformer import TransformerEncoder, TransformerEncoderConfig

MASK = torch.tensor([[True] * 5, [True, True, True, False, False]])
SMALL = {"width": 16, "heads": 4, "feed_forward": 24, "dropout": 0.0}


def test_a_post_norm_layer_is_that_of_torch() -> None:
    torch.manual_seed(0)
    config = TransformerEncoderConfig(**SMALL, layers=1, norm="post", positions="rotary")
    encoder = TransformerEncoder(config).eval()
    layer = encoder.layers[0]
    layer.rotary = False  # no positions at all: torch's layer has none
    theirs = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, batch_first=True, activation="relu")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.3)
        attention = theirs.self_attn
        attention.in_proj_weight.copy_(torch.cat([layer.attention.query.weight, layer.attention.key_value.weight]))
        attention.in_proj_bias.copy_(torch.cat([layer.attention.query.bias, layer.attention.key_value.bias]))
    pairs = [
        (attention.out_proj, layer.attention.output),
        (theirs.linear1, layer.feed_forward.inner),
        (theirs.linear2, layer.feed_forward.output),
        (theirs.norm1, layer.around_attention.norm),
        (theirs.norm2, layer.around_feed_forward.norm),
    ]
    for to, ours in pairs:
        to.load_state_dict(ours.state_dict())
    x = torch.randn(2, 5, 16)
    memory = encoder(x, MASK)
    wanted = theirs(x, src_key_padding_mask=~MASK)  # in training mode, with dropout 0: no fused path
    torch.testing.assert_close(memory.states[MASK], wanted[MASK], rtol=1e-4, atol=1e-5)  # two norms over float32 sums


def test_the_summary_is_the_mean_of_the_real_states() -> None:
    torch.manual_seed(0)
    memory = TransformerEncoder(TransformerEncoderConfig(**SMALL, layers=2)).eval()(torch.randn(2, 5, 16), MASK)
    assert memory.summary is not None
    torch.testing.assert_close(memory.summary[0], memory.states[0].mean(0))
    torch.testing.assert_close(memory.summary[1], memory.states[1, :3].mean(0))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_the_order_of_a_source_matters(positions: str) -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(TransformerEncoderConfig(**SMALL, layers=1, positions=positions)).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.3)
    x = torch.randn(1, 5, 16)
    mask = torch.ones(1, 5, dtype=torch.bool)
    there, back = encoder(x, mask).states, encoder(x.flip(1), mask).states.flip(1)
    assert (there - back).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, r"encoder\.heads = 3 does not divide width = 16: use 1, 2"),
        ({"kv_heads": 3}, r"encoder\.kv_heads = 3 does not divide heads = 4: use 1, 2, 4"),
        (
            {"heads": 16, "positions": "rotary"},
            r"encoder\.heads = 16 leaves each head a width of 1, .* turn pairs: use 1, 2 ",
        ),
    ],
)
def test_heads_that_do_not_fit_are_refused_with_the_settings(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerEncoderConfig.model_validate({**SMALL, **change})
