"""Encoders: vectors in, a memory out. A file each; importing this package registers them."""

from endash.encoders import recurrent, transformer, variational
from endash.encoders.registry import encoders

__all__ = ["encoders", "recurrent", "transformer", "variational"]
