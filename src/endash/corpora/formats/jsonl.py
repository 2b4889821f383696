"""JSON lines: an object a line, the texts in two of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.files import Line, read_lines, surrogate_in
from endash.corpora.readers import Job, Reader, readers, verbatim
from endash.corpora.record import BadLine, Record, excerpt
from endash.errors import CorpusError, nearest


class JsonlConfig(Config):
    """Settings of the reader `jsonl`: the names of the two fields."""

    kind: Literal["jsonl"] = "jsonl"
    path: str = Field(min_length=1)
    source: str = "source"
    target: str = "target"


@readers.register
class Jsonl(Reader):
    """Reads two fields of each object. Blank lines are passed over, other fields are left alone."""

    Config = JsonlConfig
    config: JsonlConfig

    def read(self) -> Iterator[Record | BadLine]:
        """A record for each object; a line is bad if it is no object, or a field is missing or no text."""
        for line in read_lines(self.config.path):
            found = self.object_of(line, (self.config.source, self.config.target))
            if isinstance(found, BadLine):
                yield found
            elif found is not None:
                assert isinstance(line, Line)
                where = f"{self.config.path}:{line.number}"
                yield Record(found[self.config.source], found[self.config.target], where)

    def jobs(self) -> Iterator[Job]:
        """Each object with its target field set, in its place or behind the others."""
        for line in read_lines(self.config.path):
            found = self.object_of(line, (self.config.source,))
            if isinstance(found, BadLine):
                raise CorpusError(f"{found}: mend the line, nothing was written")
            if found is None:
                yield verbatim("\n")
            else:
                assert isinstance(line, Line)
                yield self._job(found, f"{self.config.path}:{line.number}")

    def _job(self, found: dict[str, Any], where: str) -> Job:
        def write(translations: list[str]) -> str:
            return json.dumps(found | {self.config.target: translations[0]}, ensure_ascii=False) + "\n"

        return Job((found[self.config.source],), write, where=where)

    def object_of(self, line: Line | BadLine, fields: tuple[str, ...] = ()) -> dict[str, Any] | BadLine | None:
        """The object of a line, with a text in each of `fields`; None when the line is blank."""
        if isinstance(line, BadLine):
            return line
        if not line.text.strip():
            return None
        where, text = f"{self.config.path}:{line.number}", excerpt(line.text)
        try:
            found = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            return BadLine(where, f"not JSON: {error}", text)
        reason = self._fault(found, fields)
        return BadLine(where, reason, text) if reason else found

    @staticmethod
    def _fault(found: Any, fields: tuple[str, ...]) -> str | None:
        """Why a JSON value is no object with a text in each of `fields`."""
        if not isinstance(found, dict):
            return f"a {type(found).__name__}, and not an object with fields"
        for name in fields:
            if name not in found:
                return f"no field {name!r}: {nearest(name, found)}"
            if not isinstance(found[name], str):
                return f"the field {name!r} holds a {type(found[name]).__name__}, and not text"
            if half := surrogate_in(found[name]):
                return f"the field {name!r} holds {half}, half a character"
        return None
