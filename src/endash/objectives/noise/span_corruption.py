"""The noise `span-corruption`. Shapes: N tokens of a text, K spans."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from endash.config import Config
from endash.objectives.noise.contract import Noise, Tokens, noises
from endash.objectives.noise.spans import drawn_count, placed, random_parts
from endash.text.config import TextConfig


class SpanCorruptionConfig(Config):
    """Settings of the noise `span-corruption`."""

    kind: Literal["span-corruption"] = "span-corruption"
    rate: Annotated[float, Field(gt=0, lt=1, description="share of the tokens that are left out")] = 0.15
    mean_span: Annotated[float, Field(ge=1, description="how many of them stand together, on average")] = 3.0


@noises.register
class SpanCorruption(Noise):
    """Spans are left out, a sentinel stands for each; the target tells them, each behind its sentinel (Raffel et al. 2020, section 3.1.4).

    Of ``a b c d e f``, ``a X d e Y`` and ``X b c Y f``. Sentinels are the slots that the text's own placeholders leave free, and
    where there are fewer than spans, fewer tokens are left out. Departures: a span may stand first; no sentinel closes the
    target, for eos does; counts are rounded at random, so that the rate holds over many short texts.
    """

    Config = SpanCorruptionConfig

    def corrupt(self, tokens_N: Tokens, random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """See `Noise`."""
        count, sentinels = len(tokens_N), self.symbols.free_sentinels(tokens_N)
        if count == 0 or len(sentinels) == 0:
            return tokens_N, tokens_N[:0]
        hidden = min(drawn_count(count * self.config.rate, random), max(1, count - 1))
        spans = min(drawn_count(hidden / self.config.mean_span, random), hidden, max(1, count - hidden))
        if spans > len(sentinels):
            spans = len(sentinels)
            hidden = min(hidden, max(spans, round(spans * self.config.mean_span)))
        lengths_K, sentinels_K = random_parts(hidden, spans, random), sentinels[:spans]
        inside_N, before_K = placed(lengths_K, count, random, apart=True)
        source = np.insert(tokens_N[~inside_N], before_K, sentinels_K)
        return source, np.insert(tokens_N[inside_N], lengths_K.cumsum() - lengths_K, sentinels_K)

    def shortfall(self, tokens_N: Tokens) -> str | None:
        """See `Noise`."""
        free = len(self.symbols.free_sentinels(tokens_N))
        if len(tokens_N) * self.config.rate / self.config.mean_span <= free:
            return None
        return "with more spans to leave out than there are slots to stand for them: fewer tokens are left out"

    @classmethod
    def why_not(cls, config: SpanCorruptionConfig, text: TextConfig) -> str | None:
        """See `Noise`."""
        if text.placeholders:
            return None
        return "noise 'span-corruption' puts placeholders' slots for what it leaves out: set text.placeholders = true"
