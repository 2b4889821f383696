"""What links have in common that wrap another link's `read`."""

from __future__ import annotations

from typing import Any

from endash.links.registry import links
from endash.parts.contracts import Gift, Link, PartConfig


class Wrapper(Link):
    """A link around the one in its setting `link`, of which it uses the port `read`."""

    needs = frozenset()
    offers = frozenset({"read"})

    @classmethod
    def needs_of(cls, config: Any) -> frozenset[Gift]:
        """What the wrapped link needs."""
        return links[config.link.kind].needs_of(config.link)

    @classmethod
    def why_not(cls, config: Any, encoder: PartConfig, decoder: PartConfig, *, reads: int) -> str | None:
        """The wrapped link has to offer `read`, and to go with both sides itself."""
        inner = links[config.link.kind]
        if "read" not in inner.offers:
            reading = ", ".join(repr(kind) for kind in links if "read" in links[kind].offers)
            return (
                f"link.kind = {config.kind!r} wraps what is read at each step, and link.link.kind = {config.link.kind!r} "
                f"offers none of it to decoder.kind = {decoder.kind!r}: wrap {reading}"
            )
        return inner.why_not(config.link, encoder, decoder, reads=reads)
