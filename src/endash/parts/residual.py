"""The residual path around a sublayer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from endash.parts.dropout import Dropout
from endash.parts.fused import drop, fits, fused, norm
from endash.parts.precision import for_products

NormPlace = Literal["pre", "post"]


class Residual(nn.Module):
    """x + drop(f(norm(x))) when `norm` is "pre" (Xiong et al. 2020), norm(x + drop(f(x))) when it is "post"."""

    def __init__(self, width: int, *, norm: NormPlace, dropout: float) -> None:
        super().__init__()
        self.place = norm
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """`x` (B, T, D) after the sublayer, which maps (B, T, D) to (B, T, D)."""
        if fused(x) and fits(x.shape[-1]):
            return self._fused(x.to(torch.bfloat16), sublayer)
        if self.place == "pre":
            added: Tensor = x + self.dropout(sublayer(for_products(self.norm(x))))
            return added
        normed: Tensor = self.norm(x + self.dropout(sublayer(x)))
        return normed

    def _fused(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        dropout = self.dropout.probability if self.training else 0.0
        if self.place == "pre":
            return drop(sublayer(norm(x, self.norm)), dropout, onto=x)
        return norm(x, self.norm, added=sublayer(x), dropout=dropout)
