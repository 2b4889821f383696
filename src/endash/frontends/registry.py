"""Where frontends are registered."""

from endash.parts.contracts import Frontend
from endash.registry import Registry

frontends: Registry[Frontend] = Registry("frontend")
