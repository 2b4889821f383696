"""Inference: a premise, a hypothesis, and whether the one follows from the other."""

from __future__ import annotations

from typing import Any, Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError
from endash.tasks.labelling import LabelTask, Window
from endash.tasks.registry import tasks
from endash.text import Codec


@tasks.register
class InferenceTask(LabelTask):
    """Two texts, each encoded and both joined, to one label, such as whether the second follows from the first."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "inference"``."""

        kind: Literal["inference"] = "inference"

    joins = 1
    metrics = ("accuracy", "macro_f1")

    def record(self, given: Any) -> Record:
        """See `Task.record`: a pair of texts, or a line with a tab between them."""
        texts = tuple(given.split("\t")) if isinstance(given, str) else tuple(given)
        if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            raise CorpusError(f"{given!r} is no pair: give (premise, hypothesis), or a line with a tab between the two")
        return Record("\n".join(texts), "", sources=texts)

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        count = len(record.sources)
        return (
            None
            if count == 2
            else f'{count} texts for a premise and a hypothesis: name two columns, as source = ["…", "…"]'
        )

    def sources(self, record: Record) -> tuple[str, ...]:
        """See `Task.sources`."""
        return record.sources

    def windows(self, record: Record, codec: Codec) -> list[Window]:
        """See `LabelTask.windows`: one. Raises TextError for a text that is too long, for neither is judged by half of it."""
        return [Window(tokens[0], (tokens[1],)) for tokens in [self.tokens(record, codec)]]
