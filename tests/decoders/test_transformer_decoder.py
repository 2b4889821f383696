from __future__ import annotations

import pytest
import torch
from torch import Tensor

from endash.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from endash.links.dot import Dot, DotConfig
from endash.memory import Memory
from endash.parts.contracts import MemoryShape, OpenLink

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
