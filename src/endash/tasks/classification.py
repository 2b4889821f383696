"""Classification: a text, and what kind of text it is."""

from __future__ import annotations

from typing import Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.tasks.labelling import LabelTask, Window
from endash.tasks.registry import tasks
from endash.text import Codec
from endash.text.windows import cut


@tasks.register
class ClassificationTask(LabelTask):
    """Text to one label of its own, such as the intent of a customer."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "classification"``."""

        kind: Literal["classification"] = "classification"

    def windows(self, record: Record, codec: Codec) -> list[Window]:
        """See `LabelTask.windows`: a text that is too long is cut, with an overlap, and the windows have a say by their length."""
        tokens = codec.encode_source(record.source).tokens
        return [Window(part) for part in cut(tokens, codec.config.max_length, end=codec.source.end)]
