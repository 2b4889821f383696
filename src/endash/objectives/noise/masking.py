"""What the noises have in common that put the unknown token for what is missing."""

from __future__ import annotations

from typing import Any

from endash.objectives.noise.contract import Noise
from endash.text.config import TextConfig


class Masking(Noise):
    """A noise whose sources hold masks, so that no text may be spelled with that token."""

    @classmethod
    def why_not(cls, config: Any, text: TextConfig) -> str | None:
        """See `Noise`."""
        if text.model != "imported":
            return None
        return (
            f"noise {config.kind!r} puts <unk> for what is missing, and text.model = 'imported' spells unknown characters so: "
            "use text.model = 'unigram' or 'bpe'"
        )
