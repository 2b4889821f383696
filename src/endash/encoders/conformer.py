"""The Conformer encoder. Shapes: B batch, S source positions, D width."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.encoders.registry import encoders
from endash.memory import Memory
from endash.parts.attention import MultiHeadAttention, check_heads
from endash.parts.contracts import Encoder, PartConfig
from endash.parts.dropout import Dropout
from endash.parts.feed_forward import FeedForward
from endash.parts.masks import hide, mean, score_bias
from endash.parts.precision import for_products
from endash.parts.residual import Residual


class ConformerConfig(PartConfig):
    """Settings of the Conformer encoder."""

    kind: Literal["conformer"] = "conformer"
    width: int = Field(256, ge=2, multiple_of=2)
    layers: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    feed_forward: int = Field(1024, ge=1)
    kernel: int = Field(31, ge=1, description="positions that a convolution reads, an odd number")
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_heads("encoder", self.width, self.heads, None, rotary=True)
        if self.kernel % 2 == 0:
            raise ValueError(
                f"encoder.kernel = {self.kernel} has no middle position: use {self.kernel - 1} or {self.kernel + 1}"
            )
        return self


@encoders.register
class ConformerEncoder(Encoder):
    """Layers of self-attention for what is far and convolution for what is near (Gulati et al. 2020, section 2 and equation 1).

    x̃ = x + ½ FFN(x), x' = x̃ + MHSA(x̃), x'' = x' + Conv(x'), y = LayerNorm(x'' + ½ FFN(x'')), each part with a layer norm
    before it. The summary is the mean of the states.

    Departures: positions are rotary (Su et al. 2021) where the paper has Transformer-XL's; both make attention depend on how far
    apart two positions stand and on nothing else, and rotary ones need no parameters and no second product. Layer norm stands in
    the convolution for batch norm, which would mix the rows of a batch and their padding. The kernel is odd (31 for 32), so that it
    reads as far to the left as to the right. The feed-forward part has dropout after its second product only.
    """

    Config = ConformerConfig
    gives = frozenset({"states", "summary", "layers"})

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        """The memory of embedded sources; see `Encoder`."""
        x = self.dropout(vectors_BSD)
        bias = score_bias(mask_BS[:, None, None], x.dtype)
        layers: list[Tensor] = []
        for layer in self.layers:
            x = layer(x, bias, mask_BS)
            layers.append(x)
        layers[-1] = for_products(x)
        return Memory(layers[-1], mask_BS, summary=mean(layers[-1], mask_BS), layers=tuple(layers))


class _Layer(nn.Module):
    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        width = config.width
        self.before, self.after = (FeedForward(width, config.feed_forward, activation="silu") for _ in range(2))
        self.attention = MultiHeadAttention(width, width, heads=config.heads, kv_heads=config.heads)
        self.convolution = _Convolution(width, config.kernel)
        self.around_before, self.around_attention, self.around_convolution, self.around_after = (
            Residual(width, norm="pre", dropout=config.dropout) for _ in range(4)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, bias: Tensor, mask_BS: Tensor) -> Tensor:
        x = self.around_before(x, lambda y: 0.5 * self.before(y))
        x = self.around_attention(x, lambda y: self.attention.attend_to_itself(y, bias, rotary=True).context)
        x = self.around_convolution(x, lambda y: self.convolution(y, mask_BS))
        x = self.around_after(x, lambda y: 0.5 * self.after(y))
        out: Tensor = self.norm(x)
        return out


class _Convolution(nn.Module):
    """W₂ swish(norm(depthwise(GLU(W₁ x)))), GLU(a, b) = a ⊙ σ(b) (Dauphin et al. 2017); padding is read as zeros."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, width)

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        gated = hide(nn.functional.glu(self.inner(vectors_BSD), dim=-1), mask_BS)
        near = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.output(nn.functional.silu(for_products(self.norm(near))))
        return out
