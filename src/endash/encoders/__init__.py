"""Encoders: vectors in, a memory out. A file each; importing this package registers them."""

from endash.encoders import conformer, pretrained, recurrent, transformer, variational
from endash.encoders.registry import encoders

__all__ = ["conformer", "encoders", "pretrained", "recurrent", "transformer", "variational"]
