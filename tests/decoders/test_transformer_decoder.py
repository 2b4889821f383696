from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from endash.decoders.self_attention import SelfAttentionLayer
from endash.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from endash.links.cross_attention import CrossAttention, CrossAttentionConfig
from endash.links.dot import Dot, DotConfig
from endash.memory import Memory
from endash.parts.attention import MultiHeadAttention
from endash.parts.contracts import MemoryShape, OpenLink
from endash.parts.residual import NormPlace

SMALL = {"width": 8, "heads": 2, "feed_forward": 12, "layers": 2, "dropout": 0.0}


@pytest.fixture
def decoder() -> TransformerDecoder:
    torch.manual_seed(0)
    return TransformerDecoder(TransformerDecoderConfig(**SMALL), reads=True).eval()


@pytest.fixture
def link() -> OpenLink:
    torch.manual_seed(1)
    shape = TransformerDecoder.shape(TransformerDecoderConfig(**SMALL))
    dot = Dot(DotConfig(), memory=MemoryShape(8), shape=shape, ports=frozenset({"read"}))
    return OpenLink(dot, dot.open(Memory(torch.randn(1, 4, 8), torch.ones(1, 4, dtype=torch.bool))))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_layer_is_that_of_torch(norm: NormPlace) -> None:
    torch.manual_seed(0)
    config = TransformerDecoderConfig(**SMALL | {"layers": 1}, norm=norm, positions="rotary")
    decoder = TransformerDecoder(config, reads=True).eval()
    layer = decoder.layers[0]
    assert isinstance(layer, SelfAttentionLayer)
    layer.rotary = False  # no positions at all: torch's layer has none
    decoder.norm = nn.Identity()
    settings = CrossAttentionConfig(heads=2)
    link = CrossAttention(settings, memory=MemoryShape(8), shape=decoder.shape(config), ports=frozenset({"read"}))
    theirs = nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=norm == "pre")
    with torch.no_grad():
        for parameter in [*layer.parameters(), *link.parameters()]:
            parameter.normal_(std=0.3)
        for to, one in ((theirs.self_attn, layer.attention), (theirs.multihead_attn, link.attention[0])):
            assert isinstance(one, MultiHeadAttention)
            to.in_proj_weight.copy_(torch.cat([one.query.weight, one.key_value.weight]))
            to.in_proj_bias.copy_(torch.cat([one.query.bias, one.key_value.bias]))
            to.out_proj.load_state_dict(one.output.state_dict())
    norms = [layer.get_submodule(f"around_{name}.norm") for name in ("attention", "link", "feed_forward")]
    pairs = [(theirs.linear1, layer.feed_forward.inner), (theirs.linear2, layer.feed_forward.output)]
    for to, ours in [*pairs, *zip((theirs.norm1, theirs.norm2, theirs.norm3), norms, strict=True)]:
        to.load_state_dict(ours.state_dict())
    x, states = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    later = nn.Transformer.generate_square_subsequent_mask(5)
    wanted = theirs(x, states, tgt_mask=later, memory_key_padding_mask=~mask)
    hidden = decoder(x, OpenLink(link, link.open(Memory(states, mask))))
    torch.testing.assert_close(hidden, wanted, rtol=1e-4, atol=1e-5)  # norms over float32 sums in another order


@torch.no_grad()
def test_a_state_can_be_stepped_from_while_later_ones_live_on(decoder: TransformerDecoder, link: OpenLink) -> None:
    """Caches grow at their end only: an earlier state reads the same slots until it is stepped again."""
    words = torch.randn(20, 1, 1, 8)  # more than the 16 slots that a cache first has room for
    states, hidden = [decoder.start(link)], []
    for word in words:
        out, after = decoder.step(word, link, states[-1])
        hidden.append(out)
        states.append(after)
    torch.testing.assert_close(torch.cat(hidden, 1), decoder(words[:, 0].transpose(0, 1), link), rtol=1e-5, atol=1e-5)
    again, _ = decoder.step(words[17], link, states[17])
    torch.testing.assert_close(again, hidden[17])


@torch.no_grad()
def test_beams_that_split_swap_and_die_remember_their_own_words(decoder: TransformerDecoder, link: OpenLink) -> None:
    words = torch.randn(4, 1, 3, 8)
    parents = [torch.tensor([[0, 0, 0]]), torch.tensor([[2, 0, 0]]), torch.tensor([[1, 1, 2]])]
    hidden, state = decoder.step(words[0][:, :1], link, decoder.start(link))
    written: list[list[Tensor]] = [[words[0][0, 0]]]
    for step, moved in enumerate(parents, start=1):
        state = state.reorder(moved)
        written = [written[parent] + [words[step][0, k]] for k, parent in enumerate(moved[0].tolist())]
        hidden, state = decoder.step(words[step], link, state)
    for k, line in enumerate(written):
        whole = decoder(torch.stack(line)[None], link)
        torch.testing.assert_close(hidden[0, k], whole[0, -1], rtol=1e-5, atol=1e-5)  # the same sums over more slots


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, r"decoder\.heads = 3 does not divide width = 8: use 1"),
        ({"heads": 8, "positions": "rotary"}, r"decoder\.heads = 8 leaves each head a width of 1"),
    ],
)
def test_heads_that_do_not_fit_are_refused_with_the_settings(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerDecoderConfig.model_validate({**SMALL, **change})
