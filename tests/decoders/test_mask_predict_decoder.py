from __future__ import annotations

import pytest
import torch
from learning import share_learned

from endash import combination
from endash.combination import why_not
from endash.decoders.mask_predict import MaskPredictConfig, MaskPredictDecoder
from endash.encoders import encoders
from endash.heads import HeadConfig
from endash.links import links
from endash.links.dot import Dot, DotConfig
from endash.memory import Memory
from endash.network import Batch, Network
from endash.parts.contracts import MemoryShape, OpenLink

W = 6
CONFIG = MaskPredictConfig(width=W, layers=1, heads=2, feed_forward=7, dropout=0.0)


@torch.no_grad()
def test_self_attention_sees_both_sides_and_no_padding() -> None:
    torch.manual_seed(0)
    decoder = MaskPredictDecoder(CONFIG, reads=True).eval()
    memory = Memory(torch.randn(2, 4, W), torch.ones(2, 4, dtype=torch.bool))
    dot = Dot(DotConfig(), memory=MemoryShape(W), shape=MaskPredictDecoder.shape(CONFIG), ports=frozenset({"read"}))
    link = OpenLink(dot, dot.open(memory))
    inputs, mask = torch.randn(2, 3, W), torch.tensor([[True, True, True], [True, True, False]])
    [layer] = decoder.layers
    y = decoder.positions(inputs)
    normed = layer.around_attention.norm(y)
    query, (key, value) = layer.attention.queries(normed), layer.attention.keys_values(normed)
    scores = (query @ key.mT).masked_fill(~mask[:, None, None], float("-inf"))
    y = y + layer.attention.output((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))
    y = y + (layer.around_link.norm(y) @ memory.states.mT).softmax(-1) @ memory.states
    y = decoder.norm(y + layer.feed_forward(layer.around_feed_forward.norm(y)))
    torch.testing.assert_close(decoder(inputs, mask, link), y, rtol=1e-5, atol=1e-6)


def network() -> Network:
    torch.manual_seed(0)
    encoder = encoders.config("gru")(width=W, layers=1, dropout=0.0)  # type: ignore[call-arg]
    return Network(encoder, links.config("dot")(), CONFIG, head=HeadConfig(), source_size=20, target_size=20)  # type: ignore[arg-type]


def test_the_loss_without_training_is_minus_the_score_and_in_training_of_hidden_words() -> None:
    one = network().eval()
    batch = Batch(torch.tensor([[5, 6, 3], [7, 3, 0]]), torch.tensor([[8, 9, 10, 3], [11, 3, 0, 0]]))
    with torch.no_grad():
        loss = one.loss(batch, label_smoothing=0.0)
        scores = one.score(one.encode(batch.source), batch.target)
        assert loss.tokens == 6
        assert loss.nll == pytest.approx(-float(scores.sum()), rel=1e-5)
        assert float(loss.total) * 6 == pytest.approx(loss.nll, rel=1e-5)
        assert one.loss(batch, label_smoothing=0.0).nll == loss.nll
        one.train()
        assert len({round(one.loss(batch, label_smoothing=0.0).nll, 4) for _ in range(20)}) > 3


def test_a_target_of_no_words_is_all_length() -> None:
    one = network().train()
    loss = one.loss(Batch(torch.tensor([[5, 3]]), torch.tensor([[3]])), label_smoothing=0.1)
    assert loss.tokens == 1
    loss.total.backward()
    assert one.lengths is not None
    assert one.lengths.project.weight.grad is not None


def test_an_encoder_without_a_summary_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combination.encoders["gru"], "gives", frozenset({"states"}))
    reason = why_not(encoders.config("gru")(), links.config("dot")(), CONFIG)  # type: ignore[arg-type]
    assert reason is not None
    assert reason.startswith(
        "decoder.kind = 'mask-predict' needs summary of the encoder, and encoder.kind = 'gru' gives states"
    )


def test_it_learns_to_reverse_strings() -> None:
    share = share_learned(
        encoders.config("transformer")(width=48, layers=2, feed_forward=96, dropout=0.0),  # type: ignore[call-arg,arg-type]
        links.config("cross-attention")(),
        MaskPredictConfig(width=48, layers=2, feed_forward=96, dropout=0.0),
        steps=400,
    )
    assert share >= 0.98
