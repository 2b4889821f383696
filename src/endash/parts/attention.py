"""Scaled dot-product attention with shared key and value heads.

Shapes: B batch, T queries, N positions that are read, D width, H query heads, G key-value heads (G divides H), K head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from endash.errors import RecipeError
from endash.parts import fused_attention
from endash.parts.fused import fused, linear
from endash.parts.positions import rotate


@dataclass(frozen=True)
class Attended:
    """What queries got: `context` (B, T, H·K) and the `weights` (B, H, T, N) behind it."""

    context: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Itself:
    """What positions got from each other, `context` (B, T, D); if asked for, the keys and values (B, G, T, K) they read."""

    context: Tensor
    read: tuple[Tensor, Tensor] | None


def attend(query_BHTK: Tensor, key_BGNK: Tensor, value_BGNK: Tensor, *, bias: Tensor) -> Attended:
    """softmax(Q Kᵀ + bias) V (Vaswani et al. 2017, equation 1; the queries come scaled by 1/√K already).

    H / G query heads read one key-value head (grouped queries, Ainslie et al. 2023). `bias` broadcasts to (B, H, T, N).
    On a CPU two matrix products and a softmax beat the fused kernel's backward pass at sentence lengths.
    """
    B, H, T, K = query_BHTK.shape
    G, N = key_BGNK.shape[1:3]
    group = H // G * T  # queries that read one key-value head
    scores = torch.matmul(query_BHTK.reshape(B, G, group, K), key_BGNK.transpose(2, 3)).view(B, H, T, N)
    weights = scores.add_(bias).softmax(dim=-1)  # in the precision of the products
    context = torch.matmul(weights.view(B, G, group, N), value_BGNK).view(B, H, T, K)
    return Attended(context.transpose(1, 2).reshape(B, T, H * K), weights)


def check_heads(where: str, width: int, heads: int, shared: int | None, *, rotary: bool = False) -> None:
    """Raise RecipeError unless `heads` divide the width and the key-value heads, if any are set, the heads.

    Rotary positions turn pairs of numbers, so that the width of a head has to be even.
    """
    step = 2 if rotary else 1
    if width % (heads * step):
        fits = ", ".join(str(n) for n in range(1, width + 1) if width % (n * step) == 0 and (n == 1 or width // n >= 8))
        what = f"does not divide width = {width}"
        if width % heads == 0:
            what = f"leaves each head a width of {width // heads}, and positions = 'rotary' turn pairs"
        raise RecipeError(f"{where}.heads = {heads} {what}: use {fits}")
    if shared is not None and heads % shared:
        fits = ", ".join(str(n) for n in range(1, heads + 1) if heads % n == 0)
        raise RecipeError(f"{where}.kv_heads = {shared} does not divide heads = {heads}: use {fits}")


class MultiHeadAttention(nn.Module):
    """Projections around `attend`: queries of width D read states of another or the same width."""

    def __init__(self, width: int, source_width: int, *, heads: int, kv_heads: int) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, width // heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(source_width, 2 * kv_heads * self.head_width)
        self.output = nn.Linear(width, width)

    def queries(self, vectors_BTD: Tensor) -> Tensor:
        """(B, H, T, K), scaled by 1/√K."""
        split = (self.query(vectors_BTD) * self.head_width**-0.5).unflatten(2, (self.heads, self.head_width))
        queries: Tensor = split.transpose(1, 2)
        return queries

    def keys_values(self, states_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, each (B, G, N, K)."""
        split = self.key_value(states_BND).unflatten(2, (2, self.kv_heads, self.head_width)).permute(2, 0, 3, 1, 4)
        return split[0], split[1]

    def attend_to_itself(
        self, vectors_BTD: Tensor, bias: Tensor, *, rotary: bool, behind: int = 0, keep: bool = False
    ) -> Itself:
        """Self-attention over all positions; `rotary` turns queries and keys by theirs, except the first `behind`.

        With `keep`, the keys and values are given too.
        """
        if not (keep or (rotary and behind)) and self.fuses(vectors_BTD, rotary=rotary):
            vectors_BTD = vectors_BTD.to(torch.bfloat16)
            return Itself(self.read(vectors_BTD, linear(vectors_BTD, self.key_value), bias, rotary=rotary), None)
        query, (key, value) = self.queries(vectors_BTD), self.keys_values(vectors_BTD)
        if rotary:
            query, key = rotate(query, behind=behind), rotate(key, behind=behind)
        context = self.output(attend(query, key, value, bias=bias).context)
        return Itself(context, (key, value) if keep else None)

    def fuses(self, vectors: Tensor, *, rotary: bool = False) -> bool:
        """Whether attention on these vectors is to take the fused way, by `read`."""
        return fused(vectors) and fused_attention.fits(self.head_width, rotary=rotary)

    def read(self, vectors_BTD: Tensor, key_value_BN: Tensor, bias: Tensor, *, rotary: bool = False) -> Tensor:
        """(B, T, D): what vectors get from projected keys and values, (B, N, 2·G·K), in the fused way."""
        query = linear(vectors_BTD, self.query)
        context = fused_attention.read(query, key_value_BN, bias, heads=self.heads, rotary=rotary)
        return linear(context, self.output)
