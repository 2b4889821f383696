"""Reconstruction: a text, and itself again, through a latent vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from endash.config import Config as Settings
from endash.tasks.contract import Task
from endash.tasks.registry import tasks

if TYPE_CHECKING:
    from endash.recipe import Recipe


@tasks.register
class ReconstructionTask(Task):
    """A text to itself, through a latent vector (Bowman et al. 2016); see `endash.latent` for what one draws from it."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "reconstruction"``."""

        kind: Literal["reconstruction"] = "reconstruction"

    metrics = ("bleu", "nll", "kl", "units", "chrf")
    by_sentence = True

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`."""
        if recipe.encoder.kind == "variational":
            return None
        return (
            f"task.kind = 'reconstruction' goes through a latent vector, and encoder.kind = {recipe.encoder.kind!r} has none: "
            'wrap it, as encoder = { kind = "variational", encoder = { … } }'
        )
