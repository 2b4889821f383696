"""The residual path around a sublayer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from endash.parts.dropout import Dropout
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
        if self.place == "pre":
            added: Tensor = x + self.dropout(sublayer(for_products(self.norm(x))))
            return added
        normed: Tensor = self.norm(x + self.dropout(sublayer(x)))
        return normed
