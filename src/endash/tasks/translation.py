"""Translation: a text, and what it is in another language."""

from __future__ import annotations

from typing import Literal

from endash.config import Config as Settings
from endash.tasks.contract import Task
from endash.tasks.registry import tasks


@tasks.register
class TranslationTask(Task):
    """Text to its translation, or to any other text."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "translation"``, which a recipe without it has."""

        kind: Literal["translation"] = "translation"

    by_sentence = True
