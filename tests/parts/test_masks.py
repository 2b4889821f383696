from __future__ import annotations

import pytest
import torch

from endash.parts.masks import causal, hide, prefix, real, score_bias


def test_padding_is_not_real() -> None:
    assert real(torch.tensor([[5, 3, 0]])).tolist() == [[True, True, False]]


def test_a_position_reads_up_to_itself() -> None:
    assert causal(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_a_prefix_is_read_by_all_and_reads_itself() -> None:
    mask = torch.tensor([[True, True], [True, False]])
    both = prefix(mask, causal(2).expand(2, 2, 2))
    assert both[0].tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
    assert both[1].tolist() == [
        [True, False, False, False],
        [True, False, False, False],
        [True, False, True, False],
        [True, False, True, True],
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_masked_weight_is_exactly_zero_and_an_empty_row_finite(dtype: torch.dtype) -> None:
    bias = score_bias(torch.tensor([[True, True, False], [False, False, False]]), dtype)
    assert bias.dtype == dtype
    weights = (bias + torch.tensor([3.0, -3.0, 50.0], dtype=dtype)).softmax(-1)
    assert weights[0, 2] == 0
    assert weights[0].sum().item() == pytest.approx(1, abs=1e-2)  # two numbers of bfloat16's 8 bits
    assert weights[1].isfinite().all()


def test_hidden_values_are_zero_in_any_number_of_dimensions() -> None:
    mask = torch.tensor([[True, False]])
    assert hide(torch.ones(1, 2), mask).tolist() == [[1, 0]]
    assert hide(torch.ones(1, 2, 1, 2), mask).tolist() == [[[[1, 1]], [[0, 0]]]]
    assert hide(torch.ones(1, 2, dtype=torch.bfloat16), mask).dtype == torch.bfloat16
