"""Inference: a premise, a hypothesis, and whether the one follows from the other."""

from __future__ import annotations

from typing import Any, Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError, TextError
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
        texts = tuple(given.split("\t")) if isinstance(given, str) else tuple(given)
        if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            raise CorpusError(f"{given!r} is no pair: give (premise, hypothesis), or a line with a tab between the two")
        return Record("\n".join(texts), "", sources=texts)

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        if len(record.parts) == 2:
            return None
        return f'{len(record.parts)} text for a premise and a hypothesis: name two columns, as source = ["…", "…"]'

    def sources(self, record: Record) -> tuple[str, ...]:
        """See `Task.sources`."""
        return record.parts

    def divided(self, record: Record, codec: Codec) -> list[Part]:
        """See `LabelTask.divided`. Raises TextError for a text that is too long: no half of it tells what follows."""
        premise, hypothesis = (source.tokens for source in codec.encode_sources(record.parts))
        if (longest := max(len(premise), len(hypothesis))) > codec.config.max_length:
            raise TextError(
                f"{record.where or 'a pair'} has a text of {longest} tokens, and text.max_length = {codec.config.max_length}: "
                "raise it, or shorten the text"
            )
        return [Part(premise, (hypothesis,))]
