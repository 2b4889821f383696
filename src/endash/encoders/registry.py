"""Where encoders are registered."""

from endash.parts.contracts import Encoder
from endash.registry import Registry

encoders: Registry[Encoder] = Registry("encoder")
