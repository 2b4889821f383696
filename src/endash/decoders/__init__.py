"""Decoders: they write the target through an open link. A file each; importing this package registers them."""

from endash.decoders import mask_predict, recurrent, ssru, transformer
from endash.decoders.registry import decoders

__all__ = ["decoders", "mask_predict", "recurrent", "ssru", "transformer"]
