"""Attention of the fused way (`parts.fused`). Shapes: B batch, T queries, N positions that are read, H heads, G key-value heads, K head width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from endash.parts.fused import native
from endash.parts.positions import turns

_LANES = 16  # numbers computed together


def fits(head_width: int, *, rotary: bool) -> bool:
    """Whether heads of this width can be read here."""
    return head_width % (2 * _LANES if rotary else _LANES) == 0


def read(query_BTD: Tensor, key_value_BN: Tensor, bias: Tensor, *, heads: int, rotary: bool = False) -> Tensor:
    """What `attention.attend` gives, (B, T, H·K), for projections as they come; rows with nothing to read get zeros.

    `query_BTD` are not scaled yet; `key_value_BN` are (B, N, 2·G·K), keys first; `bias` broadcasts to (B, 1, T, N).
    """
    tables: tuple[Tensor | None, Tensor | None] = (None, None)
    if rotary:
        tables = turns(max(query_BTD.shape[1], key_value_BN.shape[1]), query_BTD.shape[2] // heads)
    context: Tensor = _Read.apply(query_BTD, key_value_BN, bias.float().contiguous(), heads, *tables)  # type: ignore[no-untyped-call]
    return context


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key_value: Tensor, bias: Tensor, heads: int, cos: Tensor | None, sin: Tensor | None
    ) -> Tensor:
        query, key_value = query.contiguous(), key_value.contiguous()
        context = torch.empty_like(query)
        rows, queries, keys = *query.shape[:2], key_value.shape[1]
        weights = torch.empty(rows, heads, queries, -(-keys // _LANES) * _LANES)
        ctx.save_for_backward(query, key_value, bias, weights)
        ctx.tables = cos, sin
        native.attention_forward(_attention(query, key_value, bias, weights, ctx.tables), context.data_ptr())
        return context

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key_value, bias, weights = ctx.saved_tensors
        grad, grad_query, grad_key_value = grads[0].contiguous(), torch.empty_like(query), torch.empty_like(key_value)
        native.attention_backward(
            _attention(query, key_value, bias, weights, ctx.tables),
            grad.data_ptr(),
            grad_query.data_ptr(),
            grad_key_value.data_ptr(),
        )
        return grad_query, grad_key_value, None, None, None, None


def _attention(query: Tensor, key_value: Tensor, bias: Tensor, weights: Tensor, tables: tuple[Any, Any]) -> Any:
    (rows, queries, width), heads, keys = query.shape, weights.shape[1], key_value.shape[1]
    head_width = width // heads
    groups = key_value.shape[2] // (2 * head_width)
    steps = (bias.stride(axis) if bias.shape[axis] > 1 else 0 for axis in (0, 2))
    return native.attention(
        query.data_ptr(),
        key_value.data_ptr(),
        (bias.data_ptr(), *steps),
        *(0 if table is None else table.data_ptr() for table in tables),
        weights.data_ptr(),
        (rows, heads, groups, queries, keys, head_width),
    )
