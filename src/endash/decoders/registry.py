"""Where decoders are registered."""

from endash.parts.contracts import Decoder
from endash.registry import Registry

decoders: Registry[Decoder] = Registry("decoder")
