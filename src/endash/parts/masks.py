"""Masks, boolean and True where real; the only file that turns a mask into attention scores.

A mask of positions (B, N) says which are there, a mask of pairs (T, N) or (B, T, N) which of N positions each of T may read.
They go together by `&` and `|`: ``mask_BN[:, None] & causal(N)``.

Shapes: B batch, T target, P prefix, S source, N positions that are read.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PADDING = 0  # the token id of padding


def real(tokens: Tensor) -> Tensor:
    """The mask of a batch of token ids, of their shape: True where a token is not padding."""
    return tokens != PADDING


def causal(length: int, *, device: torch.device | None = None) -> Tensor:
    """(T, T): position t may read positions up to and including t."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril_()


def prefix(mask_BP: Tensor, after_BTT: Tensor) -> Tensor:
    """(B, P + T, P + T): the positions of a prefix see each other, those after them see these too, and of each other what `after_BTT` lets them."""
    (P, T), to_prefix_B1P = (mask_BP.shape[1], after_BTT.shape[1]), mask_BP[:, None]
    first_BPN = nn.functional.pad(to_prefix_B1P.expand(-1, P, -1), (0, T))
    return torch.cat([first_BPN, torch.cat([to_prefix_B1P.expand(-1, T, -1), after_BTT], 2)], 1)


def score_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to attention scores, of the mask's shape: 0 where real, else so low that its weight is exactly 0.

    The low value is finite, so that a row with nothing to read gets equal weights and not NaN; `hide` has made the values
    of such a row zero, so what it reads is zero.
    """
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min / 2)


def hide(values: Tensor, mask_BN: Tensor) -> Tensor:
    """`values` (B, N, …) with zeros where the mask is False."""
    return values * mask_BN.view(*mask_BN.shape, *[1] * (values.ndim - 2)).to(values.dtype)


def mean(values_BND: Tensor, mask_BN: Tensor) -> Tensor:
    """(B, D): the mean over each row's real positions; zeros for a row that has none."""
    return hide(values_BND, mask_BN).sum(1) / mask_BN.sum(1, keepdim=True).clamp(min=1)
