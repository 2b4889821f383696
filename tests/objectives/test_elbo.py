"""The bound of a variational model, its parts against torch and against sums by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from endash.memory import Latent
from endash.objectives.cross_entropy import Loss
from endash.objectives.elbo import ElboConfig, drop_words, elbo, kl_divergence, kl_weight


def config(**settings: Any) -> ElboConfig:
    return ElboConfig(**{"annealing_rise": 0.0, "free_bits": 0.0, "word_dropout": 0.0} | settings)


def latent(mean: list[list[float]], log_variance: float = 0.0) -> Latent:
    leaf = torch.tensor(mean, requires_grad=True)
    return Latent(leaf, torch.full_like(leaf, log_variance), leaf)


def test_the_kl_is_torchs() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    expected = torch_kl(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(5, 7), torch.ones(5, 7)))
    torch.testing.assert_close(kl_divergence(Latent(mean, log_variance, mean)), expected)


def test_the_kl_of_half_precision_is_summed_in_full() -> None:
    mean = torch.full((1, 2), 0.125, dtype=torch.bfloat16)
    assert kl_divergence(Latent(mean, torch.zeros_like(mean), mean)).tolist() == [[0.0078125, 0.0078125]]


@pytest.mark.parametrize(
    ("cycles", "rise", "weights"),  # at 0, 1/8, 1/4, 3/8, … of the training
    [
        (1, 0.5, [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        (1, 1.0, [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]),
        (2, 0.5, [0, 0.5, 1, 1, 0, 0.5, 1, 1, 1]),
        (4, 1.0, [0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 1]),
        (3, 0.0, [1] * 9),
    ],
)
def test_the_weight_rises_in_each_cycle(cycles: int, rise: float, weights: list[float]) -> None:
    settings = config(annealing_cycles=cycles, annealing_rise=rise)
    assert [kl_weight(settings, progress=n / 8) for n in range(9)] == pytest.approx(weights)


def test_the_loss_is_cross_entropy_and_the_weighted_kl_and_its_nll_the_bound() -> None:
    given = latent([[1.0, 2.0], [0.0, 2.0]])  # KL: ½ and 2, 0 and 2
    plain = Loss(torch.tensor(3.0), tokens=5, nll=12.0)
    found = elbo(plain, given, config(annealing_rise=1.0), progress=0.25)
    assert float(found.total.detach()) == pytest.approx(3.0 + 0.25 * 4.5 / 5)
    assert (found.tokens, found.nll, found.parts) == (5, pytest.approx(16.5), {"kl": pytest.approx(4.5)})


def test_free_bits_are_those_of_each_dimension_over_the_batch() -> None:
    given = latent([[1.0, 0.5], [0.0, 0.5]])  # means over the batch: ¼ and ⅛
    plain = Loss(torch.tensor(0.0), tokens=1, nll=0.0)
    found = elbo(plain, given, config(free_bits=0.2), progress=1.0)
    assert float(found.total.detach()) == pytest.approx(2 * (0.25 + 0.2))
    assert found.parts["kl"] == pytest.approx(0.75), "what is told is the KL itself"
    found.total.backward()
    assert given.mean.grad is not None
    assert given.mean.grad.tolist() == [[1.0, 0.0], [0.0, 0.0]], "what lies below its floor is not pushed lower"


def test_a_share_of_the_words_is_dropped_and_nothing_else() -> None:
    torch.manual_seed(0)
    inputs = torch.full((500, 21), 7)
    words = torch.ones_like(inputs, dtype=torch.bool)
    words[:, 0] = False
    dropped = drop_words(inputs, words, 0.3, unknown=1)
    assert (dropped[:, 0] == 7).all()
    assert set(dropped.unique().tolist()) == {1, 7}
    # of 10,000 draws, 4 standard deviations
    assert (dropped[:, 1:] == 1).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(drop_words(inputs, words, 0.0, unknown=1), inputs)
