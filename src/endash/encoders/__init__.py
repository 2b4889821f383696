"""Encoders: vectors in, a memory out. A file each; importing this package registers them."""

from endash.encoders import conformer, recurrent, transformer, variational
from endash.encoders.registry import encoders

__all__ = ["conformer", "encoders", "recurrent", "transformer", "variational"]
