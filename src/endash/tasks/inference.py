"""Inference: a premise, a hypothesis, and whether the one follows from the other."""

from __future__ import annotations

from typing import Any, Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError, LongTextError
from endash.tasks.contract import counted, shown
from endash.tasks.labelling import LabelTask, Part
from endash.tasks.registry import tasks
from endash.text import Codec


@tasks.register
class InferenceTask(LabelTask):
    """Two texts, each encoded and both joined, to one label, such as whether the second follows from the first."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "inference"``."""

        kind: Literal["inference"] = "inference"

    joins = 1
    metrics = ("accuracy", "macro_f1", "micro_f1", "weighted_f1")

    def record(self, given: Any) -> Record:
        """See `Task.record`: a pair of texts, or a line with a tab between them."""
        texts = given.split("\t") if isinstance(given, str) else given
        if not isinstance(texts, tuple | list) or [*map(type, texts)] != [str, str]:
            raise CorpusError(
                f"{shown(given)} is no pair: give (premise, hypothesis), or a line with a tab between the two"
            )
        if not all(map(str.strip, texts)):
            raise CorpusError(
                f"{shown(given)} has an empty {'hypothesis' if texts[0].strip() else 'premise'}: give both"
            )
        return Record("\n".join(texts), "", sources=tuple(texts))

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        if len(record.parts) == 2:
            return super().fault(record)
        return f'{counted(len(record.parts), "text")} for a premise and a hypothesis: name two columns, as source = ["…", "…"]'

    def sources(self, record: Record) -> tuple[str, ...]:
        """See `Task.sources`. Raises CorpusError for a record of another number of texts."""
        if len(record.parts) != 2:
            raise CorpusError(f"{shown(record.source)} is no pair: give a record with sources = (premise, hypothesis)")
        return record.parts

    def divided(self, record: Record, codec: Codec) -> list[Part]:
        """See `LabelTask.divided`. A text that is too long is never divided: no half of it tells what follows."""
        premise, hypothesis = (source.tokens for source in codec.encode_sources(self.sources(record)))
        if (longest := max(len(premise), len(hypothesis))) > codec.config.max_length:
            raise LongTextError(
                0, f"a text of {longest} tokens, and this model takes {codec.config.max_length}: shorten it"
            )
        return [Part(premise, (hypothesis,))]
