"""In which precision matrix products are computed."""

from __future__ import annotations

import torch
from torch import Tensor


def product_precision(x: Tensor) -> torch.dtype:
    """The dtype in which a product with `x` is computed here: autocast's where that is on, else the tensor's own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def for_products(x: Tensor) -> Tensor:
    """`x` in that precision, converted once for all products that read it."""
    return x.to(product_precision(x))
