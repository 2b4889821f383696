"""Plain text, to be learned by itself: a text a line, or one column of a table, each its own target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from endash.config import Config
from endash.corpora.files import read_lines, suffix_of
from endash.corpora.formats.cells import Column
from endash.corpora.formats.jsonl import Jsonl, JsonlConfig
from endash.corpora.formats.table import OneOrNone
from endash.corpora.formats.tsv import Tsv, TsvConfig
from endash.corpora.readers import Reader, readers
from endash.corpora.record import BadLine, Record

_TABLES = (".tsv", ".jsonl")


class PlainConfig(Config):
    """Settings of the reader `plain`: the column, by name or by number from 0 where there is no header, if it is a table."""

    kind: Literal["plain"] = "plain"
    path: str = Field(min_length=1)
    column: OneOrNone = None

    @model_validator(mode="after")
    def _names_a_column_of_a_table(self) -> Self:
        suffix, column = suffix_of(self.path), self.column
        if suffix in _TABLES and column is None:
            raise ValueError(f'{self.path} is a table: name the column that holds the texts, as in column = "text"')
        if suffix not in _TABLES and column is not None:
            raise ValueError(
                f"column = {column!r}, and {self.path} is no table ({' or '.join(_TABLES)}): leave it out, and each line is a text"
            )
        if isinstance(column, int) and (suffix == ".jsonl" or column < 0):
            raise ValueError(
                f"column = {column}: name a field of JSON objects, or number a column of a TSV file from 0"
            )
        return self


@readers.register
class Plain(Reader):
    """Reads texts that are source and target in one. Blank ones are passed over, a list of words is one text."""

    Config = PlainConfig
    config: PlainConfig

    def read(self) -> Iterator[Record | BadLine]:
        """A record for each text. Lines are bad as `tsv` and `jsonl` say, those of plain text if they are not UTF-8."""
        for item in self._lines() if self.config.column is None else self._column(self.config.column):
            if isinstance(item, BadLine):
                yield item
            elif item.source.strip():
                yield Record(item.source, item.source, item.where)

    def _lines(self) -> Iterator[Record | BadLine]:
        for line in read_lines(self.config.path):
            yield line if isinstance(line, BadLine) else Record(line.text, "", f"{self.config.path}:{line.number}")

    def _column(self, column: Column) -> Iterator[Record | BadLine]:
        path = self.config.path
        if suffix_of(path) == ".jsonl":
            return Jsonl(JsonlConfig(path=path, source=column, target=column)).read()
        return Tsv(TsvConfig(path=path, source=column, target=column, header=isinstance(column, str))).read()
