"""The position-wise layer of a Transformer."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from endash.parts.fused import feed_forward, fused, multiplies

Activation = Literal["relu", "gelu", "silu", "silu-gated"]


class FeedForward(nn.Module):
    """W₂ f(W₁ x) (Vaswani et al. 2017, equation 2), or W₂ (silu(W₁ x) ⊙ W₃ x) when gated (Shazeer 2020, SwiGLU)."""

    def __init__(self, width: int, inner: int, *, activation: Activation) -> None:
        super().__init__()
        self.gated = activation == "silu-gated"
        self.activation: nn.Module = {"relu": nn.ReLU, "gelu": nn.GELU}.get(activation, nn.SiLU)()
        self.inner = nn.Linear(width, 2 * inner if self.gated else inner)
        self.output = nn.Linear(inner, width)

    def forward(self, vectors_BTD: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D)."""
        if isinstance(self.activation, nn.ReLU) and fused(vectors_BTD) and multiplies(self.inner.weight):
            return feed_forward(vectors_BTD, self.inner, self.output)
        inner = self.inner(vectors_BTD)
        if self.gated:
            gate, inner = inner.chunk(2, dim=-1)
            return self.output(self.activation(gate) * inner)  # type: ignore[no-any-return]
        return self.output(self.activation(inner))  # type: ignore[no-any-return]
