"""Dialogue: the conversation so far, with its speakers, and the reply to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError
from endash.tasks.contract import Task
from endash.tasks.registry import tasks

_TURN = re.compile(r"\s*⏎\s*|\n")


@tasks.register
class DialogueTask(Task):
    """A conversation, turn by turn, to what is said next.

    A source is a text of lines, ``speaker: what was said``, as the reader `dialogue` makes of a file of conversations. Where it
    has more tokens than the model takes, its first turns are left out, as many as need be.
    """

    class Config(Settings):
        """Section ``[task]`` with ``kind = "dialogue"``."""

        kind: Literal["dialogue"] = "dialogue"

    metrics = ("chrf", "bleu", "perplexity", "distinct-1", "distinct-2")
    defaults = {"text": {"placeholders": False}}  # noqa: RUF012  (a mapping that nobody changes)

    def record(self, given: Any) -> Record:
        """See `Task.record`: lines of ``speaker: text``, or pairs of them; in one line, ⏎ stands between turns."""
        if not isinstance(given, str):
            given = "\n".join(f"{speaker}: {text}" for speaker, text in _pairs(given))
        return Record("\n".join(turn for turn in _TURN.split(given) if turn.strip()), "")


def _pairs(given: Any) -> Sequence[tuple[str, str]]:
    try:
        return [(str(speaker), str(text)) for speaker, text in given]
    except (TypeError, ValueError):
        raise CorpusError(
            f"{given!r} is no conversation: give its turns as pairs (speaker, text), or as lines of speaker: text"
        ) from None
