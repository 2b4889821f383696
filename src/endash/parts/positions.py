"""Where a token stands: sinusoidal, learned and rotary positions.

Shapes: B batch, T positions, D width, H heads, K head width.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from endash.errors import ModelError

PositionKind = Literal["sinusoidal", "learned", "rotary"]


@lru_cache(maxsize=32)
def _angles(length: int, width: int) -> Tensor:
    """(T, width / 2): t · 10000^(-2i / width), in float32."""
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-torch.log(torch.tensor(10_000.0)) / width))
    return (torch.arange(length, dtype=torch.float64)[:, None] * rate).float()


@lru_cache(maxsize=32)
def _sinusoid(length: int, width: int) -> Tensor:
    angles = _angles(length, width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _room(length: int) -> int:
    """The next power of two, so that the cached tables are few."""
    return max(64, 1 << (length - 1).bit_length())


class AbsolutePositions(nn.Module):
    """Adds a vector for each position; rotary positions add nothing here, they turn queries and keys (`rotate`).

    sinusoidal: p(t, 2i) = sin(t / 10000^(2i/D)), p(t, 2i+1) = cos(…) (Vaswani et al. 2017, section 3.5).
    learned: one trained vector a position, up to `length` (Gehring et al. 2017).
    """

    def __init__(self, kind: PositionKind, width: int, *, length: int) -> None:
        super().__init__()
        self.kind = kind
        self.table = nn.Parameter(torch.randn(length, width) * 0.02) if kind == "learned" else None

    def forward(self, vectors_BTD: Tensor, *, first: int | None = None) -> Tensor:
        """`vectors_BTD` with positions 0, 1, … added; with `first`, all of them stand at that one position.

        Raises ModelError where learned positions end.
        """
        if self.kind == "rotary":
            return vectors_BTD
        width = vectors_BTD.shape[2]
        span = slice(0, vectors_BTD.shape[1]) if first is None else slice(first, first + 1)
        if self.table is None:
            return vectors_BTD + _sinusoid(_room(span.stop), width)[span].to(vectors_BTD)
        if span.stop > len(self.table):
            raise ModelError(
                f"{span.stop} positions are more than the {len(self.table)} learned ones: "
                "give shorter texts, or train with more (max_length), or with sinusoidal or rotary positions"
            )
        return vectors_BTD + self.table[span].to(vectors_BTD.dtype)


def rotate(heads_BHTK: Tensor, *, first: int | None = None, behind: int = 0) -> Tensor:
    """Queries or keys turned by their position (rotary embedding, Su et al. 2021, equation 34).

    Each pair (x_i, x_{i+K/2}) turns by the angle t · 10000^(-2i/K), so that a query's product with a key depends on how
    far apart they stand. `first`: all T of them stand at that one position (the beams of a decoding step). `behind`: so many
    of them come before the position 0, and are not turned.
    """
    if behind:
        return torch.cat([heads_BHTK[:, :, :behind], rotate(heads_BHTK[:, :, behind:])], dim=2)
    length, width = heads_BHTK.shape[2:]
    span = slice(0, length) if first is None else slice(first, first + 1)
    cos, sin = (table[span].to(heads_BHTK) for table in turns(span.stop, width))
    turned: Tensor = _Turn.apply(heads_BHTK, cos, sin)  # type: ignore[no-untyped-call]
    return turned


@lru_cache(maxsize=32)
def _turns(length: int, width: int) -> tuple[Tensor, Tensor]:
    angles = _angles(length, width)
    return angles.cos(), angles.sin()


def turns(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles by which `rotate` turns heads of this width, (at least `length`, K / 2) in float32."""
    return _turns(_room(length), width)


class _Turn(torch.autograd.Function):
    """Turns by angles of these cosines and sines, and the gradient back by the same."""

    @staticmethod
    def forward(ctx: Any, heads_BHTK: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(heads_BHTK, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grads[0], cos, -sin), None, None


def _turned(heads_BHTK: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    turned = torch.empty(heads_BHTK.shape, dtype=heads_BHTK.dtype, device=heads_BHTK.device)
    (left, right), (new_left, new_right) = heads_BHTK.chunk(2, dim=-1), turned.chunk(2, dim=-1)
    torch.mul(left, cos, out=new_left).addcmul_(right, sin, value=-1)
    torch.mul(right, cos, out=new_right).addcmul_(left, sin)
    return turned
