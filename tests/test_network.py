"""The loss of a network with a latent vector."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from endash import network as networks
from endash.decoders.recurrent import GRUDecoderConfig
from endash.encoders.recurrent import GRUEncoderConfig
from endash.encoders.variational import VariationalConfig
from endash.heads import HeadConfig
from endash.links.latent import LatentConfig
from endash.links.state import StateConfig
from endash.network import Batch, Network
from endash.text import UNK

TARGET = torch.tensor([[7, 8, 9, 3], [6, 3, 0, 0]])
BATCH = Batch(TARGET, TARGET)


def variational(**settings: Any) -> Network:
    torch.manual_seed(0)
    wrapped = GRUEncoderConfig(width=8, layers=1, dropout=0.0)
    return Network(
        VariationalConfig(width=4, encoder=wrapped, **settings),
        LatentConfig(),
        GRUDecoderConfig(width=8, layers=1, dropout=0.0),
        head=HeadConfig(),
        source_size=12,
        target_size=12,
    )


def read_by_the_decoder(network: Network, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the decoder is given in each call, as token ids."""
    seen: list[Tensor] = []
    decode = network.decode

    def watched(given: Tensor, link: Any) -> Tensor:
        seen.append(given)
        return decode(given, link)

    monkeypatch.setattr(network, "decode", watched)
    return seen


def test_words_are_dropped_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = variational(word_dropout=0.9)
    seen = read_by_the_decoder(network, monkeypatch)
    network.train().loss(BATCH, label_smoothing=0.0)
    network.eval().loss(BATCH, label_smoothing=0.0)
    network.score(network.encode(TARGET), TARGET)
    trained, *others = [(given == UNK).any() for given in seen]
    assert trained
    assert len(others) == 2
    assert not any(others)


def test_progress_weighs_the_kl_and_leaves_the_bound() -> None:
    network = variational(annealing_rise=1.0, free_bits=0.0).eval()
    losses = []
    for progress in (0.0, 0.5, 1.0):
        torch.manual_seed(1)
        losses.append(network.loss(BATCH, label_smoothing=0.0, progress=progress))
    none, half, whole = losses
    kl = none.parts["kl"] / none.tokens
    assert kl > 0.01
    assert (half.total - none.total).item() == pytest.approx(kl / 2, rel=1e-4)
    assert (whole.total - none.total).item() == pytest.approx(kl, rel=1e-4)
    assert none.nll == half.nll == whole.nll == pytest.approx(whole.total.item() * whole.tokens, rel=1e-5)


def test_the_bound_is_that_of_a_drawn_vector_where_nothing_is_trained() -> None:
    network = variational().eval()
    with torch.no_grad():
        found = {network.loss(BATCH, label_smoothing=0.0).nll for _ in range(3)}
        scored = {float(network.score(network.encode(TARGET), TARGET).sum()) for _ in range(3)}
    assert len(found) == 3
    assert len(scored) == 1, "a score is given the mean"


def test_another_network_s_loss_has_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"width": 8, "layers": 1, "dropout": 0.0}
    parts = GRUEncoderConfig(**small), StateConfig(), GRUDecoderConfig(**small)
    network = Network(*parts, head=HeadConfig(), source_size=12, target_size=12).train()
    monkeypatch.setattr(networks, "drop_words", None)
    losses = [network.loss(BATCH, label_smoothing=0.0, progress=progress) for progress in (0.0, 1.0)]
    assert [loss.parts for loss in losses] == [{}, {}]
    assert losses[0].nll == losses[1].nll
