"""The Transformer decoder. Shapes: B batch, T target, K beams, N slots of the cache, D width, G key-value heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from endash.decoders.registry import decoders
from endash.decoders.self_attention import SelfAttentionConfig, SelfAttentionDecoder, SelfAttentionLayer
from endash.parts.contracts import DecoderState, InOrderDecoder, OpenLink, select_tensors
from endash.parts.masks import causal, score_bias


class TransformerDecoderConfig(SelfAttentionConfig):
    """Settings of the Transformer decoder."""

    kind: Literal["transformer"] = "transformer"


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
class TransformerDecoder(SelfAttentionDecoder, InOrderDecoder):
    """Layers of masked self-attention, a read through the link, and feed-forward (Vaswani et al. 2017, section 3.1).

    A prefix that the link gives goes through the layers before the target. Through a link with no `read` there is no such sublayer.
    """

    Config = TransformerDecoderConfig

    def forward(self, inputs_BTD: Tensor, link: OpenLink) -> Tensor:
        """Hidden states of all positions; see `InOrderDecoder`."""
        return self._run(inputs_BTD, causal(inputs_BTD.shape[1], device=inputs_BTD.device)[None], link)

    def start(self, link: OpenLink) -> TransformerState:
        """The state before the first token: caches that are empty, or hold the prefix; see `InOrderDecoder`."""
        if link.state.prefix is None:
            empty = torch.zeros(link.rows, 1, 0, dtype=torch.bool, device=link.state.mask.device)
            caches = (layer.empty_cache(link.rows) for layer in self.layers if isinstance(layer, SelfAttentionLayer))
            return TransformerState(tuple(caches), empty, 0)
        x, filled = link.state.prefix, []
        bias = score_bias(link.state.mask, x.dtype)[:, None, None]
        for layer in self.layers:
            assert isinstance(layer, SelfAttentionLayer)
            x, cache = layer.fill(x, link, bias)
            filled.append(cache)
        return TransformerState(tuple(filled), link.state.mask[:, None], 0)

    def step(self, inputs_BKD: Tensor, link: OpenLink, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """One more token in each beam; see `InOrderDecoder`."""
        x = self.positions(inputs_BKD, first=state.position)
        after = state.grow(x.shape[1])
        bias = score_bias(after.seen, x.dtype)[:, None]
        for layer, cache in zip(self.layers, after.cache, strict=True):
            assert isinstance(layer, SelfAttentionLayer)
            x = layer.step(x, link, bias, cache, state.position)
        hidden: Tensor = self.norm(x)
        return hidden, after
