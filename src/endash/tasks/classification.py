"""Classification: a text, and what kind of text it is."""

from __future__ import annotations

from typing import Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.tasks.labelling import LabelTask, Part
from endash.tasks.registry import tasks
from endash.text import Codec
from endash.text.windows import token_windows


@tasks.register
class ClassificationTask(LabelTask):
    """Text to one label of its own, such as the intent of a customer.

    A text that is longer than the model takes is read in parts, each of which has a say by its length.
    """

    class Config(Settings):
        """Section ``[task]`` with ``kind = "classification"``."""

        kind: Literal["classification"] = "classification"

    def divided(self, record: Record, codec: Codec) -> list[Part]:
        """See `LabelTask.divided`."""
        tokens, limit = codec.encode_source(record.source).tokens, codec.config.max_length
        return [Part(one) for one in token_windows(tokens, limit=limit, around=codec.source.around)]
