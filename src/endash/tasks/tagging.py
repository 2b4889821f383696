"""Tagging: the words of a text, and a tag for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError
from endash.evaluation.entities import is_bio
from endash.tasks.contract import Writes, counted, shown
from endash.tasks.labelling import LabelTask, Part
from endash.tasks.registry import tasks
from endash.text import Codec
from endash.text.windows import word_windows

if TYPE_CHECKING:
    from torch import Tensor

    from endash.recipe import Recipe


@tasks.register
class TaggingTask(LabelTask):
    """Words to a tag each, such as parts of speech or names.

    The first token of a word has its tag. A text that is longer than the model takes is read in parts that overlap.
    """

    class Config(Settings):
        """Section ``[task]`` with ``kind = "tagging"``."""

        kind: Literal["tagging"] = "tagging"
        scheme: Literal["plain", "bio"] = Field(
            "plain", description="bio: B-… begins a span, I-… goes on with it, O is outside"
        )

    writes: ClassVar[Writes] = "tags"
    metrics = ("accuracy", "macro_f1", "micro_f1", "weighted_f1", "entity_f1")

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`."""
        if recipe.training.metric == "entity_f1" and self.config.scheme != "bio":
            return 'training.metric = "entity_f1" counts spans: set task.scheme = "bio", or take another metric'
        return super().why_not(recipe)

    def measures(self, metric: str, records: Sequence[Record]) -> bool:
        """See `Task.measures`: entities are of scheme = "bio"."""
        return metric != "entity_f1" or self.config.scheme == "bio"

    def record(self, given: Any) -> Record:
        """See `Task.record`: words, or a line of them with white space between."""
        words = tuple(given.split() if isinstance(given, str) else given if isinstance(given, Iterable) else [given])
        if wrong := [word for word in words if not isinstance(word, str) or not word.strip()]:
            raise CorpusError(
                f"{shown(wrong[0])} is no word: give a tuple of words, or a line with spaces between them"
            )
        return Record(" ".join(words), "", sources=words)

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        words, tags = record.parts, self.labels(record)
        held = [("tag", tag) for tag in tags] + [("word", word) for word in (() if record.sources else words)]
        if spaced := next((one for one in held if any(map(str.isspace, one[1]))), None):
            return f"the {spaced[0]} {shown(spaced[1])} has white space in it: give a list of words and a list of tags (in JSONL)"
        if "" in words:
            return f"word {words.index('') + 1} of {len(words)} is empty"
        if len(words) != len(tags):
            return f"{counted(len(tags), 'tag')} for {counted(len(words), 'word')}"
        if "" in tags:
            return f"tag {tags.index('') + 1} of {len(tags)} is empty"
        wrong = next((tag for tag in tags if self.config.scheme == "bio" and not is_bio(tag)), None)
        return None if wrong is None else f"the tag {wrong!r} is none of scheme = 'bio': O, B-… and I-…"

    def sources(self, record: Record) -> tuple[str, ...]:
        """See `Task.sources`: one text, the words with spaces between."""
        return (" ".join(record.parts),)

    def divided(self, record: Record, codec: Codec) -> list[Part]:
        """See `LabelTask.divided`."""
        if not record.source:
            return []
        windows = word_windows(codec.source.encode_words(record.parts), limit=codec.config.max_length)
        return [Part(one.tokens, (), tuple(one.places), one.own) for one in windows]

    def settle(self, parts: Sequence[Part], found: Sequence[Tensor]) -> list[Tensor]:
        """See `LabelTask.settle`: each word is one part's own."""
        return [word for part in found for word in part]
