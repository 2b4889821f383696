"""JSON lines: an object a line, the texts in its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import model_validator

from endash.corpora.files import Line, read_lines
from endash.corpora.formats.cells import called, not_text
from endash.corpora.formats.table import Row, Table, TableConfig
from endash.corpora.readers import Job, readers, verbatim
from endash.corpora.record import BadLine, excerpt
from endash.errors import CorpusError


class JsonlConfig(TableConfig):
    """Settings of the reader `jsonl`: the names of the fields."""

    kind: Literal["jsonl"] = "jsonl"

    @model_validator(mode="after")
    def _names(self) -> Self:
        for setting, columns in self.named().items():
            for column in columns:
                if not isinstance(column, str):
                    raise ValueError(f"{setting} = {column} is a number, and the fields of an object have names")
        return self


def objects(path: str) -> Iterator[Row | BadLine]:
    """The objects of a file of JSON lines, as rows; a line that holds something else is bad, a blank one passed over.

    Raises CorpusError if the file cannot be read.
    """
    for line in read_lines(path):
        found = _object_of(line, path)
        if found is not None:
            yield found


def _object_of(line: Line | BadLine, path: str) -> Row | BadLine | None:
    """The object of a line; None when it is blank."""
    if isinstance(line, BadLine):
        return line
    if not line.text.strip():
        return None
    where = f"{path}:{line.number}"
    try:
        found = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        return BadLine(where, f"not JSON: {error}", excerpt(line.text))
    if not isinstance(found, dict):
        return BadLine(where, f"{called(found)}, and not an object with fields", excerpt(line.text))
    return Row(where, found, line.text)


@readers.register
class Jsonl(Table):
    """Reads fields of each object: texts, or lists of them. Blank lines are passed over, other fields are left alone."""

    Config = JsonlConfig
    config: JsonlConfig

    def rows(self) -> Iterator[Row | BadLine]:
        """Each object; a line that holds something else is bad."""
        return objects(self.config.path)

    def jobs(self) -> Iterator[Job]:
        """Each object with its target field set, in its place or behind the others."""
        self.refuse_writing()
        for line in read_lines(self.config.path):
            found = _object_of(line, self.config.path)
            if isinstance(found, BadLine):
                raise CorpusError(f"{found}: mend the line, nothing was written")
            yield verbatim("\n") if found is None else self._job(found)

    def _job(self, row: Row) -> Job:
        field, cells = str(self.config.source), dict(row.cells)
        text = cells.get(field)
        if not isinstance(text, str) or not_text(cells, field):
            reason = not_text(cells, field) or f"the field {field!r} holds a list, and not text"
            raise CorpusError(f"{BadLine(row.where, reason, excerpt(row.line))}: mend the line, nothing was written")

        def write(translations: list[str]) -> str:
            return json.dumps(cells | {str(self.config.target): translations[0]}, ensure_ascii=False) + "\n"

        return Job((text,), write, where=row.where)
