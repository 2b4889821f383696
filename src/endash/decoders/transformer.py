"""The Transformer decoder. Shapes: B batch, T target, K beams, N slots of the cache, D width, G key-value heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.decoders.layers import DecoderLayer, LayersConfig, last_norm
from endash.decoders.registry import decoders
from endash.parts.attention import MultiHeadAttention, attend, check_heads
from endash.parts.contracts import DecoderShape, DecoderState, InOrderDecoder, OpenLink, select_tensors
from endash.parts.dropout import Dropout
from endash.parts.masks import causal, prefix, score_bias
from endash.parts.positions import AbsolutePositions, PositionKind, rotate


class TransformerDecoderConfig(LayersConfig):
    """Settings of the Transformer decoder."""

    kind: Literal["transformer"] = "transformer"
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


@dataclass(frozen=True)
class TransformerState(DecoderState):
    """Keys and values of what was written, kept where they were first put: beams are told apart by `seen`.

    All beams of a row write into one cache, and `seen` says which of its slots a beam descends from. So a reordering of
    beams moves these few bits and no key or value. The caches grow at their end only: an earlier state reads fewer
    slots of the same cache, and stays valid until it is stepped a second time.

    Attributes:
        cache: for each layer keys and values (B, G, room for slots, head width).
        seen: (B, K, N) boolean, the slots among the first N that beam k descends from.
        position: tokens written.
    """

    cache: tuple[tuple[Tensor, Tensor], ...]
    seen: Tensor
    position: int

    def select(self, rows: Tensor) -> TransformerState:
        """The state of these rows."""
        used = self.seen.shape[2]
        cut = tuple((keys[:, :, :used], values[:, :, :used]) for keys, values in self.cache)
        return replace(self, cache=select_tensors(cut, rows), seen=self.seen.index_select(0, rows))

    def reorder(self, parents_BK: Tensor) -> TransformerState:
        """Beams that go on from their parents."""
        index = parents_BK[:, :, None].expand(-1, -1, self.seen.shape[2])
        return replace(self, seen=self.seen.gather(1, index))

    def grow(self, beams: int) -> TransformerState:
        """Room for one more token in each of `beams` beams, which see their own new slot."""
        rows, _, used = self.seen.shape
        own = torch.eye(beams, dtype=torch.bool, device=self.seen.device).expand(rows, -1, -1)
        cache = self.cache
        if used + beams > cache[0][0].shape[2]:
            cache = tuple((_widen(keys, beams), _widen(values, beams)) for keys, values in cache)
        return TransformerState(cache, torch.cat([self.seen, own], dim=2), self.position + 1)


def _widen(slots_BGNK: Tensor, beams: int) -> Tensor:
    """The same slots with room for as many again, and at least 16 tokens in each beam."""
    B, G, N, K = slots_BGNK.shape
    wider = slots_BGNK.new_empty(B, G, 2 * N + 16 * beams, K)
    wider[:, :, :N] = slots_BGNK
    return wider


@decoders.register
class TransformerDecoder(InOrderDecoder):
    """Layers of masked self-attention, a read through the link, and feed-forward (Vaswani et al. 2017, section 3.1).

    A prefix that the link gives goes through the layers before the target. Through a link with no `read` there is no such sublayer.
    """

    Config = TransformerDecoderConfig
    uses = frozenset({"prefix", "read"})

    def __init__(self, config: TransformerDecoderConfig, *, reads: bool) -> None:
        super().__init__()
        self.positions = AbsolutePositions(config.positions, config.width, length=config.max_length)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(_Layer(config, number, reads=reads) for number in range(config.layers))
        self.norm = last_norm(config)

    @classmethod
    def shape(cls, config: TransformerDecoderConfig) -> DecoderShape:
        """A read in each layer; no initial state."""
        return DecoderShape(width=config.width, reads=config.layers, start=0)

    def forward(self, inputs_BTD: Tensor, link: OpenLink) -> Tensor:
        """Hidden states of all positions; see `InOrderDecoder`."""
        x, readable, behind = self.dropout(self.positions(inputs_BTD)), causal(T := inputs_BTD.shape[1]), 0
        if link.state.prefix is not None:
            behind, mask = link.state.prefix.shape[1], link.state.mask
            x = torch.cat([link.state.prefix, x], 1)
            readable = nn.functional.pad(mask, (0, T), value=True)[:, None, None] & prefix(behind, T, device=x.device)
        bias = score_bias(readable.to(x.device), x.dtype)
        for layer in self.layers:
            x = layer(x, link, bias, behind)[0]
        hidden: Tensor = self.norm(x[:, behind:])
        return hidden

    def start(self, link: OpenLink) -> TransformerState:
        """The state before the first token: caches that are empty, or hold the prefix; see `InOrderDecoder`."""
        if link.state.prefix is None:
            empty = torch.zeros(link.rows, 1, 0, dtype=torch.bool, device=link.state.mask.device)
            return TransformerState(
                tuple(layer.empty_cache(link.rows) for layer in self.layers if isinstance(layer, _Layer)), empty, 0
            )
        x, caches = link.state.prefix, []
        bias = score_bias(link.state.mask, x.dtype)[:, None, None]
        for layer in self.layers:
            x, cache = layer(x, link, bias, x.shape[1])
            caches.append(cache)
        return TransformerState(tuple(caches), link.state.mask[:, None], 0)

    def step(self, inputs_BKD: Tensor, link: OpenLink, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """One more token in each beam; see `InOrderDecoder`."""
        x = self.positions(inputs_BKD, first=state.position)
        after = state.grow(x.shape[1])
        bias = score_bias(after.seen, x.dtype)[:, None]
        for layer, cache in zip(self.layers, after.cache, strict=True):
            assert isinstance(layer, _Layer)
            x = layer.step(x, link, bias, cache, state.position)
        hidden: Tensor = self.norm(x)
        return hidden, after


class _Layer(DecoderLayer):
    attention: MultiHeadAttention

    def __init__(self, config: TransformerDecoderConfig, number: int, *, reads: bool) -> None:
        kv_heads = config.kv_heads or config.heads
        attention = MultiHeadAttention(config.width, config.width, heads=config.heads, kv_heads=kv_heads)
        super().__init__(config, number, "attention", attention, reads=reads)
        self.rotary = config.positions == "rotary"

    def forward(self, x: Tensor, link: OpenLink, bias: Tensor, behind: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """All positions, the first `behind` of which are the prefix, and the keys and values that they read of each other."""
        cache: list[tuple[Tensor, Tensor]] = []

        def attend_to_itself(y: Tensor) -> Tensor:
            itself = self.attention.attend_to_itself(y, bias, rotary=self.rotary, behind=behind)
            cache.append((itself.key, itself.value))
            return itself.context

        return self.through(x, link, attend_to_itself), cache[0]

    def step(self, x_BKD: Tensor, link: OpenLink, bias: Tensor, cache: tuple[Tensor, Tensor], position: int) -> Tensor:
        return self.through(x_BKD, link, lambda y: self._append(y, bias, cache, position))

    def empty_cache(self, rows: int) -> tuple[Tensor, Tensor]:
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
