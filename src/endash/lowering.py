"""What the native core is told of a model: settings and parameters, or the reason why it cannot decode this one.

It knows the usual combinations; every other runs on PyTorch. It reads sources by itself where the encoder is a Transformer of
token ids; else memories are given to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from endash.config import Config
from endash.decoders.self_attention import SelfAttentionConfig
from endash.decoders.ssru import SSRUDecoderConfig
from endash.decoders.transformer import TransformerDecoderConfig
from endash.encoders.transformer import TransformerEncoderConfig
from endash.heads import HeadConfig
from endash.links.cross_attention import HeadsConfig
from endash.links.multi import MultiConfig
from endash.network import Network
from endash.parts.contracts import PartConfig
from endash.registry import kind_of

_VIEWS = {"cross-attention": "states", "layerwise": "layerwise", "mixed": "mixed"}


def why_not(encoder: PartConfig, link: Config, decoder: PartConfig, head: HeadConfig, *, passages: int) -> str | None:
    """Why the native core does not decode this combination; None where it does."""
    if head.pointer:
        return "it has no pointer head (head.pointer = true)"
    if not isinstance(decoder, TransformerDecoderConfig | SSRUDecoderConfig):
        return f"it has no decoder.kind = {decoder.kind!r}"
    inner = _innermost(link, passages=passages)
    if kind_of(inner) not in {*_VIEWS, "prefix"}:
        return f"it has no link.kind = {kind_of(link)!r}"
    if isinstance(inner, MultiConfig):
        return f"it reads joined memories together, and link.strategy = {inner.strategy!r} reads each apart"
    return None


def reads_sources(encoder: PartConfig, *, passages: int) -> bool:
    """Whether the core encodes token ids itself; else it is given memories."""
    return isinstance(encoder, TransformerEncoderConfig) and passages == 0


def settings(
    network: Network,
    encoder: PartConfig,
    link: Config,
    decoder: PartConfig,
    *,
    passages: int,
    never: tuple[int, ...],
    slots: range,
) -> dict[str, Any]:
    """What `endash._native.model` is told beside the parameters and the precision."""
    from endash.text import BOS, EOS

    inner, heads = _innermost(link, passages=passages), 0
    prefix = kind_of(inner) == "prefix"
    if isinstance(inner, HeadsConfig):
        heads = inner.heads
    embedded = network.source_embedding is not None and reads_sources(encoder, passages=passages)
    assert isinstance(decoder, TransformerDecoderConfig | SSRUDecoderConfig)
    return {
        "encoder": _side(encoder) if embedded else {},
        "decoder": _side(decoder),
        "memory_width": encoder.width,
        "memory_depth": encoder.depth,
        "link_heads": heads,
        "link_kv_heads": (getattr(inner, "kv_heads", None) or heads),
        "link": "link.links.0" if isinstance(link, MultiConfig) else "link",
        "views": _VIEWS.get(kind_of(inner), "states"),
        "prefix": prefix,
        "source_size": network.source_embedding.num_embeddings if network.source_embedding is not None else 0,
        "target_size": network.target_embedding.num_embeddings,
        "never": list(never),
        "bos": BOS,
        "eos": EOS,
        "first_slot": slots.start,
        "slots": len(slots),
    }


def parameters(network: Network) -> dict[str, NDArray[np.float32]]:
    """The parameters by name, a shared one under each of its names."""
    named = network.named_parameters(remove_duplicate=False)
    return {name: value.detach().to("cpu", torch.float32).contiguous().numpy() for name, value in named}


def shared(network: Network) -> dict[str, str]:
    """The further names of parameters, and the name that each is saved under."""
    first = {id(value): name for name, value in network.named_parameters()}
    named = network.named_parameters(remove_duplicate=False)
    return {name: first[id(value)] for name, value in named if first[id(value)] != name}


def _innermost(link: Config, *, passages: int) -> Config:
    """The link that reads: the one that `multi` wraps where it reads all parts as one, or there is one part."""
    if isinstance(link, MultiConfig) and (link.strategy == "flat" or passages == 0):
        return link.link
    return link


def _side(config: Any) -> dict[str, Any]:
    """An encoder or decoder of layers."""
    attends = isinstance(config, TransformerEncoderConfig | SelfAttentionConfig)
    return {
        "width": config.width,
        "layers": config.layers,
        "feed_forward": config.feed_forward,
        "activation": config.activation,
        "pre_norm": config.norm == "pre",
        "heads": config.heads if attends else 0,
        "kv_heads": (config.kv_heads or config.heads) if attends else 0,
        "positions": config.positions if attends else "sinusoidal",
        "causal": isinstance(config, TransformerEncoderConfig) and not config.bidirectional,
        "recurrent": not attends,
    }
