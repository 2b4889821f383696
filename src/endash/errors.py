"""The named errors: every mistake a user can make raises one of these, and the command line prints it without a traceback.

A message says what was asked, what was found, what is allowed and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EndashError(ValueError):
    """A mistake that the user can mend; the command line exits with 2."""


class RecipeError(EndashError):
    """A recipe that cannot be read, or that asks for what cannot be built."""


class CorpusError(EndashError):
    """A corpus that is missing, of another format than was said, or broken past its allowed share."""


class TextError(EndashError):
    """A text that the vocabulary or the model cannot take, or a vocabulary that does not fit."""


class LongTextError(TextError):
    """A text that is longer than a model takes: `row` is its place from 0 among those that were given."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"text {row + 1}: {reason}")
        self.row, self.reason = row, reason


class ModelError(EndashError):
    """A model folder that is incomplete or was changed, or a call that the model cannot serve."""


class MemoryMismatchError(EndashError):
    """A memory that another model wrote, or a memory file that is broken or cannot be written."""


class TrainingError(EndashError):
    """A run that cannot go on: a loss that is not finite, a checkpoint that cannot be read, a full disk."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A phrase that lists what is allowed, the nearest to `name` first asked for: ``did you mean 'x'? allowed: x, y``."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names)}"
