"""Generation: data or a long text, and a text that says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError
from endash.evaluation.slots import read_meaning
from endash.tasks.contract import Task
from endash.tasks.registry import tasks


@tasks.register
class GenerationTask(Task):
    """A meaning representation to a text that says it, or an e-mail to its subject: several texts may be right."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "generation"``."""

        kind: Literal["generation"] = "generation"

    metrics = ("bleu", "rouge-l", "rouge-1", "rouge-2", "chrf", "ser")
    defaults = {"text": {"placeholders": False}}  # noqa: RUF012  (a mapping that nobody changes)

    def measures(self, metric: str, records: Sequence[Record]) -> bool:
        """See `Task.measures`: the slot error rate is of meaning representations, ``name[…], area[…]``."""
        return metric != "ser" or all(map(_is_meaning, records))


def _is_meaning(record: Record) -> bool:
    try:
        read_meaning(record.source)
    except CorpusError:
        return False
    return True
