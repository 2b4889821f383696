"""Where links are registered."""

from endash.parts.contracts import Link
from endash.registry import Registry

links: Registry[Link] = Registry("link")
