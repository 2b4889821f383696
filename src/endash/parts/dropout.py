"""Dropout that costs a fraction of PyTorch's on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from endash.parts.fused import drop, fits, fused


class _Drop(torch.autograd.Function):
    """y = x · keep / share, with one random byte an element deciding what is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dropped: int) -> Tensor:
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = torch.empty_like(x)  # 0 and 1 in the dtype of x: what is of one dtype is multiplied fast
        torch.ge(words.view(torch.uint8)[: x.numel()].view(x.shape), dropped, out=keep)
        ctx.save_for_backward(keep)
        ctx.scale = 256 / (256 - dropped)
        return _scaled(x, keep, ctx.scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return _scaled(grads[0], keep, ctx.scale), None


def _scaled(x: Tensor, keep: Tensor, scale: float) -> Tensor:
    """x · keep · scale, in one go over them."""
    return torch.addcmul(x.new_zeros(()), x, keep, value=scale)


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014); on a CPU its probability is rounded to 1/256, and the scale is exact for that."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """`x`, in training with a share of its elements zeroed and the rest scaled up; any shape."""
        dropped = min(round(256 * self.probability), 255)
        if not self.training or dropped == 0:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.probability)
        if fused(x) and fits(x.shape[-1]):
            return drop(x, self.probability)
        kept: Tensor = _Drop.apply(x.contiguous(), dropped)  # type: ignore[no-untyped-call]
        return kept

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.probability}"
