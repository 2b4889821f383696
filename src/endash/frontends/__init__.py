"""Frontends: raw sources in, vectors for an encoder out. A file each; importing this package registers them."""

from endash.frontends import audio, features, image
from endash.frontends.registry import frontends

__all__ = ["audio", "features", "frontends", "image"]
