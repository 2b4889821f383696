"""Attention beside a slow loop in float64 and beside torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from endash.errors import RecipeError
from endash.parts.attention import MultiHeadAttention, attend, check_heads
from endash.parts.masks import hide, score_bias

B, H, G, T, N, K = 2, 4, 2, 3, 5, 6
ROUNDING = {"rtol": 1e-5, "atol": 1e-6}  # float32 sums of a few terms of size 1, in another order
MASK = torch.tensor([[True] * 5, [True, True, True, False, False]])


def drawn(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def slow(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Attention spelled out, a number at a time: the context (B, T, H, K) and the weights (B, H, T, N)."""
    context = torch.zeros(B, T, H, K, dtype=torch.float64)
    weights = torch.zeros(B, H, T, N, dtype=torch.float64)
    for b in range(B):
        for h in range(H):
            g = h // (H // G)
            for t in range(T):
                real = [n for n in range(N) if mask[b, n]]
                powers = {
                    n: math.exp(sum(float(query[b, h, t, k]) * float(key[b, g, n, k]) for k in range(K))) for n in real
                }
                for n in real:
                    weights[b, h, t, n] = powers[n] / sum(powers.values())
                    context[b, t, h] += weights[b, h, t, n] * value[b, g, n].double()
    return context, weights


def test_attend_is_the_formula() -> None:
    query, key, value = drawn((B, H, T, K), (B, G, N, K), (B, G, N, K))
    got = attend(query, key, value, bias=score_bias(MASK, query.dtype)[:, None, None])
    context, weights = slow(query, key, value, MASK)
    torch.testing.assert_close(got.weights.double(), weights, **ROUNDING)
    torch.testing.assert_close(got.context.double(), context.flatten(2), **ROUNDING)
    assert not got.weights[1, :, :, 3:].any()  # exactly nothing, and not next to nothing


def test_shared_key_value_heads_are_repeated_ones() -> None:
    query, key, value = drawn((B, H, T, K), (B, G, N, K), (B, G, N, K))
    bias = score_bias(MASK, query.dtype)[:, None, None]
    shared = attend(query, key, value, bias=bias)
    repeated = attend(query, key.repeat_interleave(H // G, 1), value.repeat_interleave(H // G, 1), bias=bias)
    torch.testing.assert_close(shared.context, repeated.context, **ROUNDING)
    torch.testing.assert_close(shared.weights, repeated.weights, **ROUNDING)


def test_a_row_with_nothing_to_read_reads_nothing() -> None:
    query, key, value = drawn((B, H, T, K), (B, G, N, K), (B, G, N, K))
    mask = MASK.clone()
    mask[1] = False
    hidden = hide(value.transpose(1, 2), mask).transpose(1, 2)
    got = attend(query, key, hidden, bias=score_bias(mask, query.dtype)[:, None, None])
    assert got.weights.isfinite().all()
    assert not got.context[1].any()
    assert got.context[0].any()


def test_multi_head_attention_is_that_of_torch() -> None:
    torch.manual_seed(1)
    ours, theirs = MultiHeadAttention(24, 24, heads=H, kv_heads=H), nn.MultiheadAttention(24, H, batch_first=True)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_(std=0.3)
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    query, states = drawn((B, T, 24), (B, N, 24))
    wanted, weights = theirs(query, states, states, key_padding_mask=~MASK, average_attn_weights=False)
    bias = score_bias(MASK, query.dtype)[:, None, None]
    got = attend(ours.queries(query), *ours.keys_values(states), bias=bias)
    torch.testing.assert_close(ours.output(got.context), wanted, rtol=1e-4, atol=1e-5)  # sums of 24 terms, four deep
    torch.testing.assert_close(got.weights, weights, rtol=1e-4, atol=1e-5)


def test_queries_may_read_states_of_another_width() -> None:
    attention = MultiHeadAttention(24, 10, heads=4, kv_heads=2)
    key, value = attention.keys_values(torch.randn(B, N, 10))
    assert attention.queries(torch.randn(B, T, 24)).shape == (B, 4, T, 6)
    assert key.shape == value.shape == (B, 2, N, 6)


@pytest.mark.parametrize(
    ("heads", "shared", "message"),
    [
        (6, 6, r"encoder\.heads = 6 does not divide width = 64: use 1, 2, 4, 8$"),
        (4, 3, r"encoder\.kv_heads = 3 does not divide heads = 4: use 1, 2, 4$"),
    ],
)
def test_heads_that_do_not_divide_are_refused_with_those_that_do(heads: int, shared: int, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_heads("encoder", 64, heads, shared)
