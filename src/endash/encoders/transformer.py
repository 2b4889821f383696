"""The Transformer encoder. Shapes: B batch, S source positions, D width."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.encoders.registry import encoders
from endash.memory import Memory
from endash.parts.attention import MultiHeadAttention, check_heads
from endash.parts.contracts import Encoder, PartConfig
from endash.parts.dropout import Dropout
from endash.parts.feed_forward import Activation, FeedForward
from endash.parts.masks import causal, mean, score_bias
from endash.parts.positions import AbsolutePositions, PositionKind
from endash.parts.precision import for_products
from endash.parts.recurrence import last
from endash.parts.residual import NormPlace, Residual


class TransformerEncoderConfig(PartConfig):
    """Settings of the Transformer encoder."""

    kind: Literal["transformer"] = "transformer"
    width: int = Field(256, ge=2, multiple_of=2)
    layers: int = Field(3, ge=1)
    heads: int = Field(4, ge=1)
    kv_heads: int | None = Field(
        None, ge=1, description="key-value heads, shared by groups of heads; all heads by default"
    )
    feed_forward: int = Field(1024, ge=1)
    activation: Activation = "relu"
    norm: NormPlace = "pre"
    positions: PositionKind = "sinusoidal"
    max_length: int = Field(512, ge=1, description="positions that can be learned")
    dropout: float = Field(0.1, ge=0, lt=1)
    bidirectional: bool = Field(True, description="false: a position sees no later one")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        check_heads("encoder", self.width, self.heads, self.kv_heads, rotary=self.positions == "rotary")
        return self


@encoders.register
class TransformerEncoder(Encoder):
    """Layers of self-attention and feed-forward (Vaswani et al. 2017).

    Bidirectional, it reads a source as an autoencoder does (Devlin et al. 2019), and the summary is the mean of the states;
    else autoregressively (Radford et al. 2018), and the summary is the last state, the only one that has seen all.
    """

    Config = TransformerEncoderConfig
    gives = frozenset({"states", "summary", "layers"})

    def __init__(self, config: TransformerEncoderConfig) -> None:
        super().__init__()
        self.positions = AbsolutePositions(config.positions, config.width, length=config.max_length)
        self.dropout = Dropout(config.dropout)
        self.bidirectional = config.bidirectional
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        """The memory of embedded sources; see `Encoder`."""
        x = self.dropout(self.positions(vectors_BSD))
        readable = mask_BS[:, None, None]
        if not self.bidirectional:
            readable = readable & causal(x.shape[1], device=x.device)
        bias = score_bias(readable, x.dtype)
        layers: list[Tensor] = []
        for layer in self.layers:
            x = layer(x, bias)
            layers.append(x)
        layers[-1] = for_products(self.norm(x))
        summary = mean if self.bidirectional else last
        return Memory(layers[-1], mask_BS, summary=summary(layers[-1], mask_BS), layers=tuple(layers))


class _Layer(nn.Module):
    def __init__(self, config: TransformerEncoderConfig) -> None:
        super().__init__()
        kv_heads = config.kv_heads or config.heads
        self.attention = MultiHeadAttention(config.width, config.width, heads=config.heads, kv_heads=kv_heads)
        self.feed_forward = FeedForward(config.width, config.feed_forward, activation=config.activation)
        self.around_attention = Residual(config.width, norm=config.norm, dropout=config.dropout)
        self.around_feed_forward = Residual(config.width, norm=config.norm, dropout=config.dropout)
        self.rotary = config.positions == "rotary"

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.around_attention(x, lambda y: self.attention.attend_to_itself(y, bias, rotary=self.rotary).context)
        out: Tensor = self.around_feed_forward(x, self.feed_forward)
        return out
