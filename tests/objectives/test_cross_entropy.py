"""The chunked cross-entropy against the plain one, and the plain one against torch."""

import pytest
import torch
from torch import nn

from endash.objectives.cross_entropy import CHUNK, cross_entropy, projected_cross_entropy


def example(count: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return torch.randn(count, 16), torch.randn(40, 16), torch.randn(40), torch.randint(40, (count,))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_torchs_cross_entropy(smoothing: float) -> None:
    hidden, weight, bias, target = example(9)
    scores = nn.functional.linear(hidden, weight, bias)
    loss = cross_entropy(scores, target, label_smoothing=smoothing)
    torch.testing.assert_close(loss.total, nn.functional.cross_entropy(scores, target, label_smoothing=smoothing))
    assert loss.nll == pytest.approx(nn.functional.cross_entropy(scores, target, reduction="sum").item(), rel=1e-6)
    assert loss.tokens == 9


@pytest.mark.parametrize("count", [1, CHUNK, 2 * CHUNK + 3])
def test_in_chunks_it_has_the_same_value_and_gradients(count: int) -> None:
    hidden, weight, bias, target = example(count)
    plain = [t.clone().requires_grad_() for t in (hidden, weight, bias)]
    chunked = [t.clone().requires_grad_() for t in (hidden, weight, bias)]
    expected = cross_entropy(nn.functional.linear(*plain), target, label_smoothing=0.1)
    found = projected_cross_entropy(*chunked, target, label_smoothing=0.1)
    (2 * expected.total).backward()
    (2 * found.total).backward()
    torch.testing.assert_close(found.total, expected.total)
    assert found.nll == pytest.approx(expected.nll, rel=1e-5)
    for ours, theirs in zip(chunked, plain, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_without_gradients_the_value_is_the_same() -> None:
    hidden, weight, bias, target = example(700)
    with_gradient = projected_cross_entropy(hidden.requires_grad_(), weight, bias, target, label_smoothing=0.1)
    with torch.no_grad():
        without = projected_cross_entropy(hidden, weight, bias, target, label_smoothing=0.1)
    torch.testing.assert_close(without.total, with_gradient.total)
