"""What decoders with self-attention over the target share. Shapes: B batch, T target, P prefix, K beams, D width, G key-value heads."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.decoders.layers import DecoderLayer, LayersConfig, last_norm
from endash.parts.attention import MultiHeadAttention, attend, check_heads
from endash.parts.contracts import Decoder, DecoderShape, OpenLink
from endash.parts.dropout import Dropout
from endash.parts.masks import prefix, score_bias
from endash.parts.positions import AbsolutePositions, PositionKind, rotate


class SelfAttentionConfig(LayersConfig):
    """Settings of such a decoder."""

    heads: int = Field(4, ge=1, description="of self-attention; the link has its own")
    kv_heads: int | None = Field(
        None, ge=1, description="key-value heads, shared by groups of heads; all heads by default"
    )
    positions: PositionKind = "sinusoidal"
    max_length: int = Field(512, ge=1, description="positions that can be learned")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        check_heads("decoder", self.width, self.heads, self.kv_heads, rotary=self.positions == "rotary")
        return self


class SelfAttentionDecoder(Decoder):
    """Layers of self-attention, of which a subclass says what each position may read."""

    uses = frozenset({"prefix", "read"})

    def __init__(self, config: SelfAttentionConfig, *, reads: bool) -> None:
        super().__init__()
        self.positions = AbsolutePositions(config.positions, config.width, length=config.max_length)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(SelfAttentionLayer(config, number, reads=reads) for number in range(config.layers))
        self.norm = last_norm(config)

    @classmethod
    def shape(cls, config: SelfAttentionConfig) -> DecoderShape:
        """A read in each layer; no initial state."""
        return DecoderShape(width=config.width, reads=config.layers, start=0)

    def _run(self, inputs_BTD: Tensor, readable: Tensor, link: OpenLink) -> Tensor:
        """Hidden states (B, T, D) of all positions, of which t may read `readable[:, t]`, (B, T, T) or what broadcasts to it, and the prefix."""
        x, behind = self.dropout(self.positions(inputs_BTD)), 0
        if link.state.prefix is not None:
            behind = link.state.prefix.shape[1]
            readable = prefix(link.state.mask, readable.expand(link.rows, x.shape[1], -1))
            x = torch.cat([link.state.prefix, x], 1)
        bias = score_bias(readable, x.dtype)[:, None]
        for layer in self.layers:
            x = layer(x, link, bias, behind)
        hidden: Tensor = self.norm(x[:, behind:])
        return hidden


class SelfAttentionLayer(DecoderLayer):
    """Self-attention, a read through the link, and feed-forward."""

    attention: MultiHeadAttention

    def __init__(self, config: SelfAttentionConfig, number: int, *, reads: bool) -> None:
        kv_heads = config.kv_heads or config.heads
        attention = MultiHeadAttention(config.width, config.width, heads=config.heads, kv_heads=kv_heads)
        super().__init__(config, number, "attention", attention, reads=reads)
        self.rotary = config.positions == "rotary"

    def forward(self, x: Tensor, link: OpenLink, bias: Tensor, behind: int) -> Tensor:
        """All positions, the first `behind` of which are the prefix."""
        return self.through(
            x, link, lambda y: self.attention.attend_to_itself(y, bias, rotary=self.rotary, behind=behind).context
        )

    def fill(self, x: Tensor, link: OpenLink, bias: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """All positions of a prefix, and the keys and values that they read of each other."""
        cache: list[tuple[Tensor, Tensor]] = []

        def attend_to_itself(y: Tensor) -> Tensor:
            itself = self.attention.attend_to_itself(y, bias, rotary=self.rotary, behind=x.shape[1], keep=True)
            assert itself.read is not None
            cache.append(itself.read)
            return itself.context

        return self.through(x, link, attend_to_itself), cache[0]

    def step(self, x_BKD: Tensor, link: OpenLink, bias: Tensor, cache: tuple[Tensor, Tensor], position: int) -> Tensor:
        """One new token in each beam, which reads the slots of the cache that `bias` leaves it."""
        return self.through(x_BKD, link, lambda y: self._append(y, bias, cache, position))

    def empty_cache(self, rows: int) -> tuple[Tensor, Tensor]:
        """Keys and values of nothing yet."""
        attention, like = self.attention, self.attention.key_value.weight
        empty = like.new_empty(rows, attention.kv_heads, 0, attention.head_width)
        return empty, empty

    def _append(self, x_BKD: Tensor, bias: Tensor, cache: tuple[Tensor, Tensor], position: int) -> Tensor:
        """Self-attention of one new token in each beam, whose key and value go into the cache's next slots."""
        query, (key, value) = self.attention.queries(x_BKD), self.attention.keys_values(x_BKD)
        if self.rotary:
            query, key = rotate(query, first=position), rotate(key, first=position)
        used = bias.shape[3]
        keys, values = (slots[:, :, :used] for slots in cache)
        keys[:, :, used - x_BKD.shape[1] :] = key
        values[:, :, used - x_BKD.shape[1] :] = value
        out: Tensor = self.attention.output(attend(query, keys, values, bias=bias).context)
        return out
