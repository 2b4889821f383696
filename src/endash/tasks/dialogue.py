"""Dialogue: the conversation so far, with its speakers, and the reply to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from endash.config import Config as Settings
from endash.corpora import Record
from endash.corpora.formats.dialogue import turn_line
from endash.errors import CorpusError
from endash.tasks.contract import Task, shown
from endash.tasks.registry import tasks
from endash.text import Codec

_TURN = re.compile(r"\s*⏎\s*|[\r\n]+")


@tasks.register
class DialogueTask(Task):
    """A conversation, turn by turn, to what is said next.

    A source is a text of lines, ``speaker: what was said``, as the reader `dialogue` makes of a file of conversations. Of a longer
    one than any reader makes to learn from, the last turns are read. Where these have more tokens than the model takes, the first
    of them are left out, as many as need be; the last one never is.
    """

    class Config(Settings):
        """Section ``[task]`` with ``kind = "dialogue"``."""

        kind: Literal["dialogue"] = "dialogue"

    metrics = ("chrf", "bleu", "perplexity", "distinct-1", "distinct-2")
    defaults = {"text": {"placeholders": False}}  # noqa: RUF012  (a mapping that nobody changes)

    def record(self, given: Any) -> Record:
        """See `Task.record`: lines of ``speaker: text``, or pairs of them; in one line, ⏎ stands between turns."""
        if not isinstance(given, str):
            return Record("\n".join(turn_line(*turn) for turn in _pairs(given)), "")
        return Record("\n".join(turn for turn in _TURN.split(given) if turn.strip()), "")

    @property
    def _learned(self) -> int:
        """The most turns that a source has to learn from; 0 where a reader does not tell."""
        told = [getattr(reader, "turns", 0) for reader in self.readers]
        return max(told, default=0) if all(told) else 0

    def fit(self, record: Record, codec: Codec) -> Record:
        """See `Task.fit`: without its first turns."""
        turns = record.source.split("\n")[-self._learned :]
        while len(turns) > 1 and len(codec.encode_source("\n".join(turns)).tokens) > codec.config.max_length:
            turns = turns[1:]
        fitted = "\n".join(turns)
        return record if fitted == record.source else replace(record, source=fitted, sources=tuple(turns))


def _pairs(given: Any) -> Sequence[tuple[str, str]]:
    turns = list(given) if isinstance(given, Iterable) else [given]
    for turn in turns:
        if not isinstance(turn, tuple | list) or [*map(type, turn)] != [str, str]:
            raise CorpusError(
                f"{shown(turn)} is no turn of a conversation: give pairs (speaker, text), or lines of speaker: text; one "
                "conversation is a tuple of pairs, and a list holds several conversations"
            )
    return [(speaker, text) for speaker, text in turns]
