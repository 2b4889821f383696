"""The link `cross-attention`. Shapes: B batch, S source, Q queries, D width, G key-value heads, K head width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from endash.config import Config
from endash.errors import RecipeError
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.attention import MultiHeadAttention, attend, check_heads
from endash.parts.contracts import DecoderShape, Link, LinkState, MemoryShape, PartConfig, Port, Reading
from endash.parts.fused import linear
from endash.parts.masks import hide, score_bias


class HeadsConfig(Config):
    """Settings of multi-head attention over a memory."""

    heads: int = Field(4, ge=1)
    kv_heads: int | None = Field(
        None, ge=1, description="key-value heads, shared by groups of heads; all heads by default"
    )


class CrossAttentionConfig(HeadsConfig):
    """Settings of the link `cross-attention`."""

    kind: Literal["cross-attention"] = "cross-attention"


@dataclass(frozen=True)
class CrossAttentionState(LinkState):
    """Keys and values (B, G, S, K) of each read, and the scores' bias (B, 1, 1, S).

    In the fused way of training (`parts.fused`), these are `projected` as they come, (B, S, 2·G·K), instead.
    """

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    projected: tuple[Tensor, ...] = ()
    bias: Tensor | None = None


@links.register
class CrossAttention(Link):
    """Multi-head attention over the memory, with parameters of its own for each read (Vaswani et al. 2017, section 3.2)."""

    Config: ClassVar[type[HeadsConfig]] = CrossAttentionConfig
    needs = frozenset({"states"})
    offers = frozenset({"read"})

    def __init__(
        self, config: HeadsConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        kv_heads = config.kv_heads or config.heads
        self.attention = nn.ModuleList(
            MultiHeadAttention(shape.width, memory.width, heads=config.heads, kv_heads=kv_heads)
            for _ in range(shape.reads)
        )

    @classmethod
    def why_not(cls, config: Any, encoder: PartConfig, decoder: PartConfig, *, reads: int) -> str | None:
        """Heads must divide the decoder's width."""
        try:
            check_heads("link", decoder.width, config.heads, config.kv_heads)
        except RecipeError as error:
            return f"{error} (the width of decoder.kind = {decoder.kind!r})"
        return None

    def open(self, memory: Memory) -> CrossAttentionState:
        """Project the memory's keys and values, once for each read."""
        layers = [layer for layer in self.attention if isinstance(layer, MultiHeadAttention)]
        states = self.read_from(memory)
        bias = score_bias(memory.mask, memory.states.dtype)[:, None, None]
        if layers and layers[0].fuses(memory.states):
            projected = tuple(linear(one, layer.key_value) for layer, one in zip(layers, states, strict=True))
            return CrossAttentionState(mask=memory.mask, projected=projected, bias=bias)
        pairs = [layer.keys_values(one) for layer, one in zip(layers, states, strict=True)]
        return CrossAttentionState(
            mask=memory.mask,
            keys=tuple(key.contiguous() for key, _ in pairs),  # once here, not in the product of every step
            values=tuple(_hide_heads(value, memory.mask).contiguous() for _, value in pairs),
            bias=bias,
        )

    def read_from(self, memory: Memory) -> Sequence[Tensor]:
        """The states (B, S, D) that each read attends to: the memory's own for all of them."""
        return [memory.states] * self.shape.reads

    def read(self, query_BQD: Tensor, state: CrossAttentionState, layer: int) -> Reading:
        """The memory as these queries attend to it; see `Link`."""
        attention = self.attention[layer]
        assert isinstance(attention, MultiHeadAttention)
        assert state.bias is not None
        if state.projected:
            return Reading(attention.read(query_BQD, state.projected[layer], state.bias), None)
        got = attend(attention.queries(query_BQD), state.keys[layer], state.values[layer], bias=state.bias)
        context: Tensor = attention.output(got.context)
        return Reading(context, got.weights)


def _hide_heads(values_BGSK: Tensor, mask_BS: Tensor) -> Tensor:
    return hide(values_BGSK.transpose(1, 2), mask_BS).transpose(1, 2)
