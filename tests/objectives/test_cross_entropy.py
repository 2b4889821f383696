"""The chunked cross-entropy against the plain one, and the plain one against torch."""

import pytest
import torch
from torch import nn

from endash.objectives.cross_entropy import CHUNK, Copies, cross_entropy, projected_cross_entropy


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


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("count", [1, CHUNK, 2 * CHUNK + 3])
@pytest.mark.parametrize("copying", [False, True])
def test_in_chunks_it_has_the_same_value_and_gradients(count: int, copying: bool, smoothing: float) -> None:
    *parts, target = example(count)
    parts += [torch.rand(count) for _ in range(2)] if copying else []
    plain, chunked = ([t.clone().requires_grad_() for t in parts] for _ in range(2))
    expected = cross_entropy(
        nn.functional.linear(*plain[:3]),
        target,
        label_smoothing=smoothing,
        copies=Copies(*plain[3:]) if copying else None,
    )
    found = projected_cross_entropy(
        *chunked[:3], target, label_smoothing=smoothing, copies=Copies(*chunked[3:]) if copying else None
    )
    (2 * expected.total).backward()
    (2 * found.total).backward()
    torch.testing.assert_close(found.total, expected.total)
    assert found.nll == pytest.approx(expected.nll, rel=1e-5)
    for ours, theirs in zip(chunked, plain, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)  # float32 sums in another order


def test_a_token_that_is_surely_copied_teaches_the_projection_nothing() -> None:
    hidden, weight, bias, target = example(3)
    hidden.requires_grad_()
    copies = Copies(torch.ones(3), torch.zeros(3))
    loss = projected_cross_entropy(hidden, weight, bias, target, label_smoothing=0.0, copies=copies)
    loss.total.backward()
    assert float(loss.total.detach()) == 0
    assert hidden.grad is not None
    assert hidden.grad.norm() < 1e-20


def test_in_bfloat16_it_is_near() -> None:
    """A score of bfloat16 is off by 1/256 of itself at most, and scores here reach 15: 6 % of a probability, less in a mean."""
    *parts, target = example(2 * CHUNK)
    grads = []
    for enabled in (False, True):
        leaves = [t.clone().requires_grad_() for t in parts]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss = projected_cross_entropy(*leaves, target, label_smoothing=0.1)
        loss.total.backward()
        grads.append([loss.total.detach(), *(leaf.grad for leaf in leaves)])
    for full, half in zip(*grads, strict=True):
        assert half.dtype == torch.float32
        assert (half - full).norm() < 0.02 * full.norm()


def test_without_gradients_the_value_is_the_same() -> None:
    hidden, weight, bias, target = example(700)
    with_gradient = projected_cross_entropy(hidden.requires_grad_(), weight, bias, target, label_smoothing=0.1)
    with torch.no_grad():
        without = projected_cross_entropy(hidden, weight, bias, target, label_smoothing=0.1)
    torch.testing.assert_close(without.total, with_gradient.total)
