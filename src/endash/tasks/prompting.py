"""Prompting: a text that says what is asked, and examples of it or none, to a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from endash.config import Config as Settings
from endash.corpora import Record
from endash.decoders import decoders
from endash.example import Example
from endash.links import links
from endash.registry import kind_of
from endash.tasks.contract import Passages, Task, TooLong
from endash.tasks.registry import tasks
from endash.text import Codec

if TYPE_CHECKING:
    from endash.recipe import Recipe

_POOL = 1024  # records of a family that examples are drawn from: bounds the memory
_SEED = 0


@tasks.register
class PromptingTask(Task):
    """A text to a text, on a mixture of readers with prompts; some of what is learned comes with examples of its kind.

    Beside each record stand 0 to `examples` others of its family, as many as chance says, each as source, sep, target; each is
    encoded alone and joined to the record's memory (Ye et al. 2023, FiD-ICL, which fine-tunes a pretrained T5; here the number of
    examples varies too, so that a model answers without any). Which ones is drawn once, from up to 1,024 records of the family
    that a reservoir keeps (Vitter 1985, algorithm R), and is the same in every run. `endash.prompting` gives examples to a model.
    """

    class Config(Settings):
        """Section ``[task]`` with ``kind = "prompting"``."""

        kind: Literal["prompting"] = "prompting"
        examples: Annotated[
            int, Field(ge=1, le=64, description="the most examples of its family that a record is learned with")
        ] = 4

    metrics = ("chrf", "bleu", "rouge-l")
    defaults = {"text": {"placeholders": False}}  # noqa: RUF012  (a mapping that nobody changes)
    alike = True

    def __init__(self, config: Any, **given: Any) -> None:
        super().__init__(config, **given)
        self.joins = self.config.examples
        self._pools: dict[str, list[Record]] = {}
        self._random = np.random.default_rng(_SEED)

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`: examples need a sep, and a link that reads them."""
        if recipe.text.placeholders:
            return (
                "text.placeholders = true gives slots to the placeholders of a source, and an example is encoded without "
                "knowing of any: set text.placeholders = false, and they are spelled like other text"
            )
        if recipe.text.model == "imported":
            return (
                "text.model = 'imported' has no token between the source and the target of an example: let one be learned, as by "
                'text.model = "unigram"'
            )
        if recipe.encoder.reads != "vectors":
            return (
                f"encoder.kind = {recipe.encoder.innermost.kind!r} has a vocabulary of its own, without a token between the source "
                'and the target of an example: take one that reads vectors, such as "transformer"'
            )
        link, decoder = links[kind_of(recipe.link)], decoders[recipe.decoder.kind]
        if "latent" in link.needs_of(recipe.link) or not link.offers & decoder.uses & {"read", "prefix"}:
            return (
                f"link.kind = {kind_of(recipe.link)!r} gives decoder.kind = {recipe.decoder.kind!r} nothing of examples that are "
                'joined to a source: take a link that reads positions, such as "cross-attention"'
            )
        return None

    def survey(self, records: Iterable[Record]) -> None:
        """See `Task.survey`: keep what examples are drawn from."""
        self._random = np.random.default_rng(_SEED)
        self._pools, seen = {}, Counter[str]()
        for record in records:
            pool = self._pools.setdefault(record.family, [])
            seen[record.family] += 1
            if len(pool) < _POOL:
                pool.append(record)
            elif (place := int(self._random.integers(seen[record.family]))) < _POOL:
                pool[place] = record

    def examples(
        self, records: Sequence[Record], codec: Codec, *, passages: Passages | None = None
    ) -> Iterator[list[Example | TooLong]]:
        """See `Task.examples`; to be called after `survey`, without which there is nothing to draw from."""
        return super().examples(records, codec, passages=lambda some, _: self._beside(some, codec))

    def join(self, texts: Sequence[str], codec: Codec) -> list[list[int]]:
        """See `Task.join`: none, for a record that is to be answered; its examples are joined as memories."""
        return []

    def _beside(self, records: Sequence[Record], codec: Codec) -> list[list[list[int]]]:
        """The token ids of the examples of each record, `joins` of them: those that are missing have none.

        The longest comes first, which is less padding to a batch; to an encoder the order is nothing.
        """
        drawn = [self._draw(record) for record in records]
        pairs = [(one.source, one.target) for some in drawn for one in some]
        encoded = iter(codec.encode_pairs(pairs, [()] * len(pairs)))
        found = [sorted((next(encoded) for _ in some), key=len, reverse=True) for some in drawn]
        return [some + [[]] * (self.joins - len(some)) for some in found]

    def _draw(self, record: Record) -> list[Record]:
        """0 to `joins` others of a record's family; fewer where there are not so many."""
        pool, count = self._pools.get(record.family, []), int(self._random.integers(self.joins + 1))
        order = self._random.permutation(len(pool))
        others = (pool[place] for place in order if not _same(pool[place], record))
        return list(islice(others, count))


def _same(one: Record, other: Record) -> bool:
    """Whether two records are of one text, or of one conversation."""
    return one.source == other.source or bool(one.key and one.key == other.key)
