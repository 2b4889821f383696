from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from endash.objectives.cross_entropy import Loss
from endash.objectives.ctc import ctc, positions_for, with_ctc

EOS, VOCABULARY = 3, 6
TARGETS = [[4, 5], [4, 4], [], [5], [4, 5, 4, 5]]
LENGTHS = [4, 3, 2, 1, 3]  # the last is too short


def told(alignment: tuple[int, ...]) -> list[int]:
    """What an alignment becomes: repetitions put together, then blanks removed."""
    return [token for token, _ in itertools.groupby(alignment) if token]


def draw() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    scores = 2 * torch.randn(len(TARGETS), max(LENGTHS), VOCABULARY)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    target = torch.zeros(len(TARGETS), 5, dtype=torch.int64)
    for row, tokens in enumerate(TARGETS):
        target[row, : len(tokens) + 1] = torch.tensor([*tokens, EOS])
    return scores, mask, target


def test_it_is_the_sum_over_all_alignments() -> None:
    scores, mask, target = draw()
    found = ctc(scores.log_softmax(-1), mask, target)
    probability = scores.double().softmax(-1).tolist()
    for row, (tokens, length) in enumerate(zip(TARGETS, LENGTHS, strict=True)):
        total = sum(
            math.prod(probability[row][s][token] for s, token in enumerate(alignment))
            for alignment in itertools.product(range(VOCABULARY), repeat=length)
            if told(alignment) == tokens
        )
        wanted = -math.log(total) if total else 0.0
        assert found[row].item() == pytest.approx(wanted, abs=1e-5)  # float32 logarithms of size 10


def test_padding_has_no_gradient_and_all_else_has() -> None:
    scores, mask, target = draw()
    scores.requires_grad_()
    ctc(scores.log_softmax(-1), mask, target)[:-1].sum().backward()
    gradient = scores.grad.abs().sum(-1)[:-1]
    assert torch.equal(gradient > 0, mask[:-1])


@given(st.lists(st.integers(4, 6), max_size=6), st.integers(0, 8))
def test_a_target_has_an_alignment_if_there_are_positions_for_it(tokens: list[int], length: int) -> None:
    scores = torch.zeros(1, 8, 7).log_softmax(-1)
    mask = torch.arange(8)[None] < length
    target = torch.tensor([[*tokens, EOS]])
    assert bool(ctc(scores, mask, target) > 0) == (positions_for(tokens) <= length and length > 0)


def test_the_two_losses_are_weighed() -> None:
    plain = Loss(torch.tensor(2.0), tokens=5, nll=11.0, parts={"kl": 1.0})
    both = with_ctc(plain, torch.tensor([3.0, 7.0]), 0.25)
    assert both.total.item() == pytest.approx(0.75 * 2 + 0.25 * 10 / 5)
    assert (both.tokens, both.nll, both.parts) == (5, 11.0, {"kl": 1.0, "ctc": 10.0})
