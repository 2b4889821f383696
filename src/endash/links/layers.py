"""The links `layerwise` and `mixed`, which read the encoder's layers below the last. Shapes: B batch, S source, D width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from endash.links.cross_attention import CrossAttention, HeadsConfig
from endash.links.registry import links
from endash.memory import Memory
from endash.parts.contracts import DecoderShape, MemoryShape, PartConfig, Port


class LayerwiseConfig(HeadsConfig):
    """Settings of the link `layerwise`."""

    kind: Literal["layerwise"] = "layerwise"


class MixedConfig(HeadsConfig):
    """Settings of the link `mixed`."""

    kind: Literal["mixed"] = "mixed"


class _OverLayers(CrossAttention):
    """Cross-attention over states that are made of the encoder's layers, each normalised by itself.

    The states between the layers of a pre-norm Transformer were never normalised, and grow from layer to layer.
    """

    needs = frozenset({"layers"})

    def __init__(
        self, config: HeadsConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.norms = nn.ModuleList(nn.LayerNorm(memory.width) for _ in range(memory.depth))

    def normed(self, memory: Memory) -> list[Tensor]:
        """The states (B, S, D) of each layer."""
        return [norm(states) for norm, states in zip(self.norms, memory.layers, strict=True)]


@links.register
class Layerwise(_OverLayers):
    """Layer i of the decoder reads layer i of the encoder by cross-attention (He et al. 2018, layer-wise coordination).

    Departure: the two halves share no parameters.
    """

    Config = LayerwiseConfig

    @classmethod
    def why_not(cls, config: Any, encoder: PartConfig, decoder: PartConfig, *, reads: int) -> str | None:
        """Both sides must be of one depth."""
        if encoder.depth != reads:
            fixed = encoder.reads != "vectors"  # its layers came with it
            advice = "take another link" if fixed else f"set encoder.layers = {reads}"
            return (
                f"link.kind = 'layerwise' joins layer to layer, and encoder.kind = {encoder.kind!r} has {encoder.depth} layers, "
                f"decoder.kind = {decoder.kind!r} reads {reads} times: {advice}"
            )
        return super().why_not(config, encoder, decoder, reads=reads)

    def read_from(self, memory: Memory) -> Sequence[Tensor]:
        """Layer i for read i."""
        return self.normed(memory)


@links.register
class Mixed(_OverLayers):
    """Each read attends to its own weighting of the encoder's layers, Σ_l softmax(w)_l h^l (Bapna et al. 2018, section 3.3)."""

    Config = MixedConfig

    def __init__(
        self, config: HeadsConfig, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]
    ) -> None:
        super().__init__(config, memory=memory, shape=shape, ports=ports)
        self.shares = nn.Parameter(torch.zeros(shape.reads, memory.depth))

    def read_from(self, memory: Memory) -> Sequence[Tensor]:
        """A mean of all layers for each read, equal shares to begin with."""
        layers_BSDL = torch.stack(self.normed(memory), dim=-1)
        return list(torch.matmul(layers_BSDL, self.shares.softmax(-1).T.to(layers_BSDL.dtype)).unbind(-1))
