"""Dialogues, an object a line: each reply of one speaker with the conversation that came before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.formats.cells import Cells, called, not_key, not_text, not_there
from endash.corpora.formats.jsonl import objects
from endash.corpora.readers import Reader, readers
from endash.corpora.record import BadLine, Record, excerpt
from endash.errors import CorpusError, nearest

_BREAKS = re.compile(r"[\r\n]+")
_TOLD = 50  # speakers that are listed where nobody is called as was said


class DialogueConfig(Config):
    """Settings of the reader `dialogue`.

    An object's field ``turns`` is a list of objects with a ``speaker`` and a ``text``. `replier` is the speaker whose replies are
    learned, `turns` how many of the turns before a reply are its source. `key` is the field that tells dialogues apart, for all
    of one belongs to one part of a split; empty, that is the whole text of the dialogue.
    """

    elsewhere: ClassVar = {"key": ""}  # what is to be measured need not have ids

    kind: Literal["dialogue"] = "dialogue"
    path: str = Field(min_length=1)
    replier: Annotated[str, Field(min_length=1)] = "agent"
    turns: Annotated[int, Field(ge=1)] = 6
    key: str = "id"


@dataclass(frozen=True, slots=True)
class _Turn:
    number: int
    speaker: str
    text: str

    @property
    def line(self) -> str:
        return turn_line(self.speaker, self.text)


@dataclass(frozen=True, slots=True)
class _Talk:
    turns: list[_Turn]
    key: str
    where: str


def turn_line(speaker: str, text: str) -> str:
    """The line of a source that is one turn."""
    return _BREAKS.sub(" ", f"{speaker}: {text}")


@readers.register
class Dialogue(Reader):
    """Reads each reply of a dialogue. Turns without text are passed over, other fields are left alone.

    What opens a dialogue replies to nothing, and is no record.
    """

    Config = DialogueConfig
    config: DialogueConfig

    def read(self) -> Iterator[Record | BadLine]:
        """A record for each reply: its source the last turns, as lines ``speaker: text``, its `sources` these lines one by one.

        A line is bad if it is no object, or a turn has no speaker or no text in it. Raises CorpusError at the end if nobody
        called `replier` spoke.
        """
        speakers: set[str] = set()
        replier = self.config.replier
        for talk in self._talks():
            if isinstance(talk, BadLine):
                yield talk
            else:
                speakers.update(turn.speaker for turn in talk.turns if len(speakers) < _TOLD or turn.speaker == replier)
                yield from self._replies(talk)
        if speakers and replier not in speakers:
            raise CorpusError(
                f"replier = {replier!r}, and nobody in {self.config.path} is called so: {nearest(replier, speakers)}"
            )

    def sources(self) -> Iterator[Record | BadLine]:
        """See `Reader.sources`: each reply, and behind those of a dialogue that ends with another speaker the one that is due.

        Nobody called `replier` need have spoken yet.
        """
        for talk in self._talks():
            if isinstance(talk, BadLine):
                yield talk
            else:
                last = talk.turns[-1:]
                due = [
                    _Turn(one.number + 1, self.config.replier, "") for one in last if one.speaker != self.config.replier
                ]
                yield from self._replies(replace(talk, turns=talk.turns + due))

    def _talks(self) -> Iterator[_Talk | BadLine]:
        for row in objects(self.config.path):
            if isinstance(row, BadLine):
                yield row
            elif reason := self._fault(row.cells):
                yield BadLine(row.where, reason, excerpt(row.line))
            else:
                turns = _turns(row.cells)
                key = str(row.cells[self.config.key]) if self.config.key else "\n".join(turn.line for turn in turns)
                yield _Talk(turns, key, row.where)

    def _replies(self, talk: _Talk) -> Iterator[Record]:
        for place, turn in enumerate(talk.turns):
            lines = tuple(before.line for before in talk.turns[max(0, place - self.config.turns) : place])
            if lines and turn.speaker == self.config.replier:
                yield Record("\n".join(lines), turn.text, f"{talk.where}#{turn.number}", sources=lines, key=talk.key)

    def _fault(self, cells: Cells) -> str | None:
        """Why an object is no dialogue."""
        if reason := not_there(cells, "turns"):
            return reason
        turns = cells["turns"]
        if not isinstance(turns, list) or not turns:
            return "the field 'turns' is no list of turns, or an empty one"
        for number, turn in enumerate(turns, start=1):
            if reason := _no_turn(turn):
                return f"turn {number}: {reason}"
        if not self.config.key:
            return None
        if self.config.key not in cells:
            return f'{not_there(cells, self.config.key)}; or set key = "", and dialogues are told apart by their text'
        return not_key(cells, self.config.key)


def _no_turn(turn: Any) -> str | None:
    if not isinstance(turn, dict):
        return f"{called(turn)}, and not an object with a speaker and a text"
    for field in ("speaker", "text"):
        if reason := not_text(turn, field):
            return reason
        if not isinstance(turn[field], str):
            return f"the field {field!r} holds a list, and not text"
    return None if turn["speaker"].strip() else "the field 'speaker' is empty"


def _turns(cells: Cells) -> list[_Turn]:
    """The turns that have a text, numbered from 1 as they stand in the dialogue."""
    turns: Any = cells["turns"]
    return [
        _Turn(number, turn["speaker"], turn["text"])
        for number, turn in enumerate(turns, start=1)
        if turn["text"].strip()
    ]
