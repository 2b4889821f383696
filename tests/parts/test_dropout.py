from __future__ import annotations

import pytest
import torch

from endash.parts.dropout import Dropout

MANY = 200_000


@pytest.mark.parametrize("probability", [0.1, 0.25, 0.5, 0.9])
def test_the_share_asked_for_is_dropped_and_the_mean_stays(probability: float) -> None:
    torch.manual_seed(0)
    y = Dropout(probability).train()(torch.ones(MANY))
    exact = round(256 * probability) / 256
    deviation = (exact * (1 - exact) / MANY) ** 0.5
    assert (y == 0).float().mean().item() == pytest.approx(exact, abs=5 * deviation)
    assert y.mean().item() == pytest.approx(1, abs=5 * deviation / (1 - exact))
    kept = y[y != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - exact)))


def test_the_gradient_goes_through_what_was_kept() -> None:
    torch.manual_seed(0)
    x = torch.randn(7, 13, requires_grad=True)  # 91 elements: no multiple of the 8 bytes drawn at once
    y = Dropout(0.5).train()(x)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 2.0))
    torch.testing.assert_close(y, x * x.grad)


def test_what_is_no_contiguous_tensor_keeps_its_shape() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 5).T
    y = Dropout(0.5).train()(x)
    torch.testing.assert_close(y, torch.where(y == 0, 0.0, 2 * x))


def test_two_calls_drop_different_elements() -> None:
    torch.manual_seed(0)
    dropout = Dropout(0.5).train()
    assert not torch.equal(dropout(torch.ones(1000)), dropout(torch.ones(1000)))


def test_a_seed_repeats_what_is_dropped() -> None:
    dropout = Dropout(0.5).train()
    torch.manual_seed(3)
    first = dropout(torch.ones(1000))
    torch.manual_seed(3)
    assert torch.equal(dropout(torch.ones(1000)), first)


def test_nothing_is_dropped_outside_training_or_at_zero() -> None:
    x = torch.randn(4, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_a_probability_next_to_one_leaves_something() -> None:
    torch.manual_seed(0)
    y = Dropout(0.999).train()(torch.ones(MANY))
    assert y.isfinite().all()
    assert y.mean().item() == pytest.approx(1, abs=0.2)  # 5 standard deviations of what 1 / 256 keeps


def test_it_shows_its_probability() -> None:
    assert repr(Dropout(0.3)) == "Dropout(0.3)"
