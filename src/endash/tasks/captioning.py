"""Captioning: a picture, and a sentence that says what it shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from numpy.typing import NDArray
from pydantic import Field

from endash.config import Config as Settings
from endash.frontends.reading_pictures import read_picture
from endash.tasks.registry import tasks
from endash.tasks.signals import SignalTask


@tasks.register
class CaptioningTask(SignalTask):
    """A picture to a caption; each of its captions is learned from, and all are references."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "captioning"``."""

        kind: Literal["captioning"] = "captioning"
        side: Annotated[
            int, Field(ge=16, le=2048, description="pixels that the longer side of a picture is brought to")
        ] = 160

    reads = "pixels"
    metrics = ("cider", "bleu", "chrf")
    defaults = {  # noqa: RUF012  (a mapping that nobody changes)
        "frontend": {"kind": "image"},
        "text": {"placeholders": False},
        "head": {"tie": "target"},
    }

    def read(self, data: bytes, name: str) -> NDArray[Any]:
        """See `SignalTask.read`: pixels, the longer side brought to `side`."""
        return read_picture(data, name, side=self.config.side)
