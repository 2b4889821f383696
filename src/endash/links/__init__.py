"""Links: the connection between a memory and a decoder. A file each; importing this package registers them."""

from endash.links import additive, cross_attention, dot, state
from endash.links.registry import links

__all__ = ["additive", "cross_attention", "dot", "links", "state"]
