"""Training: from a recipe to a run, which can be stopped anywhere and gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from endash.training.run import Run, train

__all__ = ["Run", "train"]


def __getattr__(name: str) -> Any:
    """`train` and `Run`, imported when first asked for: a recipe reads `TrainingConfig` from here without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from endash.training import run

    return getattr(run, name)
