"""Tab-separated columns, without quoting: a tab always separates, a quotation mark is a character."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import model_validator

from endash.corpora.files import Line, read_lines
from endash.corpora.formats.cells import Column
from endash.corpora.formats.table import Row, Table, TableConfig
from endash.corpora.readers import Job, column_error, readers, verbatim
from endash.corpora.record import BadLine, excerpt
from endash.errors import CorpusError

_BREAKS = re.compile(r"[\t\r\n]+")


class TsvConfig(TableConfig):
    """Settings of the reader `tsv`: columns by name, or by number from 0 where the first line is a row already."""

    kind: Literal["tsv"] = "tsv"
    header: bool = True

    @model_validator(mode="after")
    def _names_or_numbers(self) -> Self:
        for setting, columns in self.named().items():
            for column in columns:
                if self.header and not isinstance(column, str):
                    raise ValueError(
                        f"{setting} = {column} is a number: name the header's column, or set header = false"
                    )
                if not self.header and (not isinstance(column, int) or column < 0):
                    raise ValueError(
                        f"{setting} = {column!r} with header = false: give the column's number, the first is 0"
                    )
        return self

    def column(self, name: str) -> Column:
        """See `TableConfig`: a number where there is no header."""
        return name if self.header or not name.isdecimal() else int(name)


@readers.register
class Tsv(Table):
    """Reads columns of a tab-separated file. Blank lines are passed over."""

    Config = TsvConfig
    config: TsvConfig

    def rows(self) -> Iterator[Row | BadLine]:
        """Each row; one with more or fewer columns than the header is bad."""
        lines = read_lines(self.config.path)
        names = self._header(lines)
        asked = [column for columns in self.config.named().values() for column in columns]
        last = max(self._index(names, column) for column in asked)
        for line in lines:
            row = self._row(line, names, last)
            if isinstance(row, BadLine):
                yield row
            elif row is not None:
                assert isinstance(line, Line)
                cells: dict[Column, object] = dict(zip(names or range(len(row)), row, strict=True))
                yield Row(f"{self.config.path}:{line.number}", cells, line.text)

    def jobs(self) -> Iterator[Job]:
        """Each row with its target column set; a target column that is not there is added behind the others."""
        self.refuse_writing()
        lines = read_lines(self.config.path)
        names = self._header(lines)
        assert not isinstance(self.config.source, tuple)
        source = self._index(names, self.config.source)
        target = self._target(names)
        if names is not None:
            yield verbatim("\t".join([*names, *([str(self.config.target)] if target == len(names) else [])]) + "\n")
        for line in lines:
            row = self._row(line, names, source)
            if isinstance(row, BadLine):
                raise CorpusError(f"{row}: mend the line, nothing was written")
            if row is None:
                yield verbatim("\n")
            else:
                assert isinstance(line, Line)
                yield self._job(row, source, target, f"{self.config.path}:{line.number}")

    @staticmethod
    def _job(row: list[str], source: int, target: int, where: str) -> Job:
        def write(translations: list[str]) -> str:
            cells = row + [""] * (target + 1 - len(row))
            cells[target] = _BREAKS.sub(" ", translations[0])
            return "\t".join(cells) + "\n"

        return Job((row[source],), write, where=where)

    def _header(self, lines: Iterator[Line | BadLine]) -> list[str] | None:
        if not self.config.header:
            return None
        first = next(lines, None)
        if first is None:
            raise CorpusError(f"{self.config.path} is empty: its first line should name the columns")
        if isinstance(first, BadLine):
            raise CorpusError(f"{first}: the header cannot be read")
        return first.text.split("\t")

    def _index(self, names: list[str] | None, column: str | int) -> int:
        if isinstance(column, int):
            return column
        assert names is not None
        if column not in names:
            problem = column_error(f"{self.config.path}:1", column, names)
            raise CorpusError(f"{problem}; if line 1 is a row already: header = false and numbers, or FILE.tsv:0,1")
        if names.count(column) > 1:
            raise CorpusError(f"{self.config.path}:1: the column {column!r} stands there twice: name the columns apart")
        return names.index(column)

    def _target(self, names: list[str] | None) -> int:
        if names is None:
            assert isinstance(self.config.target, int)
            return self.config.target
        column = str(self.config.target)
        return names.index(column) if column in names else len(names)

    def _row(self, line: Line | BadLine, names: list[str] | None, last: int) -> list[str] | BadLine | None:
        """The cells of a line; None when it is blank."""
        if isinstance(line, BadLine):
            return line
        if not line.text:
            return None
        row = line.text.split("\t")
        where = f"{self.config.path}:{line.number}"
        if names is not None and len(row) != len(names):
            return BadLine(where, f"{len(row)} columns where the header has {len(names)}", excerpt(line.text))
        if len(row) <= last:
            return BadLine(
                where, f"{len(row)} columns, and column {last} is asked for (the first is 0)", excerpt(line.text)
            )
        return row
