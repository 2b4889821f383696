"""Tagging: the words of a text, and a tag for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from endash.config import Config as Settings
from endash.tasks.contract import Writes
from endash.tasks.labelling import LabelTask
from endash.tasks.registry import tasks

if TYPE_CHECKING:
    pass


@tasks.register
class TaggingTask(LabelTask):
    """Words to a tag each, such as parts of speech or names."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "tagging"``."""

        kind: Literal["tagging"] = "tagging"
        scheme: Literal["plain", "bio"] = Field(
            "plain", description="bio: B- begins a span, I- goes on with it, O is none"
        )

    writes: ClassVar[Writes] = "tags"
    metrics = ("macro_f1", "accuracy", "entity_f1")
