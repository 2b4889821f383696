"""Links: the connection between a memory and a decoder. A file each; importing this package registers them."""

from endash.links import (
    additive,
    cross_attention,
    dot,
    gated,
    general,
    latent,
    layers,
    multi,
    prefix,
    state,
)
from endash.links.registry import links

__all__ = [
    "additive",
    "cross_attention",
    "dot",
    "gated",
    "general",
    "latent",
    "layers",
    "links",
    "multi",
    "prefix",
    "state",
]
