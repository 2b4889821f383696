"""Captioning: a picture, and a sentence that says what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from numpy.typing import NDArray
from pydantic import Field

from endash.config import Config as Settings
from endash.frontends.image import ImageConfig
from endash.frontends.reading_pictures import read_picture
from endash.tasks.registry import tasks
from endash.tasks.signals import SignalTask

if TYPE_CHECKING:
    from endash.recipe import Recipe


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

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`: where its pictures are no images of the frontend."""
        frontend, side = recipe.frontend, self.config.side
        if isinstance(frontend, ImageConfig) and frontend.channels != 3:
            return f"frontend.channels = {frontend.channels}, and pictures are read in 3, red, green and blue: leave it out"
        if isinstance(frontend, ImageConfig) and side > (most := frontend.patch * frontend.max_side):
            return (
                f"task.side = {side} is more than the {most} pixels of frontend.max_side = {frontend.max_side} patches of "
                f"{frontend.patch}: set task.side = {most}, or raise frontend.max_side to {-(-side // frontend.patch)}"
            )
        return super().why_not(recipe)

    def read(self, data: bytes, name: str) -> NDArray[Any]:
        """See `SignalTask.read`: pixels, the longer side brought to `side`."""
        return read_picture(data, name, side=self.config.side)
