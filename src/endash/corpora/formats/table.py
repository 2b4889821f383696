"""What tables have in common, whether their rows are lines with tabs or JSON objects: how columns become records."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from endash.config import Config
from endash.corpora.formats.cells import Cells, Choice, Column, not_key, not_text, parts_of, text_of
from endash.corpora.keys import source_key
from endash.corpora.media import Media
from endash.corpora.prompts import Prompt
from endash.corpora.readers import Reader
from endash.corpora.record import BadLine, Record, excerpt
from endash.errors import CorpusError


def _column(given: object) -> object:
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise ValueError(f"{json.dumps(given)} is no column: give its name, or a list of names where several are meant")
    return given


def _columns(given: object) -> object:
    if not isinstance(given, list | tuple):
        return _column(given)
    if not given:
        raise ValueError("an empty list names no column: give the name of one")
    return tuple(_column(one) for one in given)


def _values(given: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if empty := next((name for name, values in given.items() if not values), None):
        raise ValueError(f"{empty} = [] names no value: give some, or leave the column out")
    return given


def _prompt(given: str) -> str:
    Prompt.parse(given)
    return given


OneOrNone = Annotated[Column | None, BeforeValidator(lambda given: None if given in (None, "") else _column(given))]
Columns = Annotated[Column | tuple[Column, ...], BeforeValidator(_columns)]
Values = Annotated[dict[str, tuple[str, ...]], AfterValidator(_values)]


class TableConfig(Config):
    """Settings that all readers of tables have.

    `source` and `target` are a column or several: the parts of a source, the targets that are right. `key` is the column that
    decides on a record's part of a split; empty, it is what the source decides. Rows with a value of `keep` are read, and those
    with one of `leave` are not. In `files` (a folder, .tar or .tar.gz) stands the file that the source names. `prompt` makes the
    source from columns, of which ``{source}`` is what it were without; `family` is what its records are called, by default its
    text before the first brace. In training each of its records that is kept counts `times` times.
    """

    paths: ClassVar = ("path", "files")  # the settings that are paths
    # what they are for another file that is read likewise: which rows to take is a matter of each
    elsewhere: ClassVar = {"key": None, "keep": None, "leave": None, "times": 1}

    kind: str
    path: str = Field(min_length=1)
    source: Columns = "source"
    target: Columns = "target"
    key: OneOrNone = None
    keep: Values | None = None
    leave: Values | None = None
    files: Annotated[str, Field(min_length=1)] | None = None
    prompt: Annotated[str, AfterValidator(_prompt)] | None = None
    family: Annotated[str, Field(min_length=1)] | None = None
    times: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _files_are_no_text(self) -> Self:
        if self.files is not None and isinstance(self.source, tuple):
            raise ValueError(f"files = {self.files!r}: one column names the file, so source cannot be a list")
        if self.files is not None and self.prompt is not None:
            raise ValueError(f"files = {self.files!r}: the source is a file, and there is no text for a prompt")
        return self

    def column(self, name: str) -> Column:
        """The column that a name in `keep`, `leave` or `prompt` means."""
        return name

    def named(self) -> dict[str, list[Column]]:
        """The columns that each setting names; those of `prompt` without ``source``."""
        found = {}
        for side, columns in (("source", self.source), ("target", self.target)):
            found[side] = list(columns) if isinstance(columns, tuple) else [columns]
        found["key"] = [] if self.key is None else [self.key]
        names = Prompt.parse(self.prompt).names if self.prompt else ()
        for setting, given in (("keep", self.keep or ()), ("leave", self.leave or ()), ("prompt", names)):
            found[setting] = [self.column(name) for name in given if (setting, name) != ("prompt", "source")]
        return found

    def choice(self) -> Choice:
        """Which rows are read."""
        settings = (("keep", self.keep), ("leave", self.leave))
        return Choice(
            self.path,
            {(name, self.column(one)): values for name, given in settings for one, values in (given or {}).items()},
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: where it stands, its cells by their columns, and the line it was."""

    where: str
    cells: Cells
    line: str


class Table(Reader):
    """Reads the records out of the rows of a table."""

    config: TableConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        named = self.config.named()
        self._texts = [column for setting in ("source", "target", "prompt") for column in named[setting]]
        self._keys = named["key"]
        self._prompt = Prompt.parse(self.config.prompt) if self.config.prompt else None
        self.family = self.config.family or (self._prompt.family if self._prompt else "")
        self._filled = [column for side in self._of_several() for column in named[side]]
        if self._prompt is not None:
            self._filled += named["prompt"] + (named["source"] if "source" in self._prompt.names else [])

    @abstractmethod
    def rows(self) -> Iterator[Row | BadLine]:
        """The rows of the file, and the lines that are none. Raises CorpusError if the file cannot be read."""

    def read(self) -> Iterator[Record | BadLine]:
        """A record for each row that is asked for. A row is bad if it lacks a column, or what a column holds is no text, list of
        texts or key, or is empty where it is one of several or goes into the prompt.

        Raises CorpusError at the end for a value of `keep` or `leave` that no row has.
        """
        choice = self.config.choice()
        for row in self.rows():
            found = row if isinstance(row, BadLine) else self._found(row, choice)
            if found is not None:
                yield found
        choice.check()

    def sources(self) -> Iterator[Record | BadLine]:
        """See `Reader.sources`: the target's columns need not be there."""
        return type(self)(self.config.model_copy(update={"target": self.config.source})).read()

    def refuse_writing(self) -> None:
        """Raises CorpusError if there are settings that say how to read alone."""
        config = self.config
        reading = {setting: getattr(config, setting) for setting in self._of_several()}
        plain = {"key": None, "keep": None, "leave": None, "files": None, "prompt": None, "family": None, "times": 1}
        reading |= {setting: held for setting, usual in plain.items() if (held := getattr(config, setting)) != usual}
        for setting, held in reading.items():
            raise CorpusError(
                f"{config.path}: {setting} = {held!r} is for reading alone: a table is translated whole, from one column to "
                "another: leave it out"
            )

    def _of_several(self) -> list[str]:
        return [side for side in ("source", "target") if isinstance(getattr(self.config, side), tuple)]

    def _found(self, row: Row, choice: Choice) -> Record | BadLine | None:
        """The record of a row, or what is wrong with it; None if it is not asked for."""
        reason = choice.not_there(row.cells)
        if reason is None and not choice.takes(row.cells):
            return None
        reason = reason or self._fault(row.cells)
        return BadLine(row.where, reason, excerpt(row.line)) if reason else self._record(row.cells, row.where)

    def _fault(self, cells: Cells) -> str | None:
        for column in self._texts:
            if reason := not_text(cells, column):
                return reason
        for column in self._keys:
            if reason := not_key(cells, column):
                return reason
        empty = next((column for column in self._filled if not text_of(cells[column]).strip()), None)
        if empty is not None:
            return f"column {empty!r} is empty, and it is {'in the prompt' if self._prompt else 'one of several'}"
        if self.config.files is None:
            return None
        name, sources = parts_of(cells, self.config.source)
        return (
            "the source is a list, and not the name of one file"
            if sources
            else Media(self.config.files, name).why_not()
        )

    def _record(self, cells: Cells, where: str) -> Record:
        config, media = self.config, None
        source, sources = parts_of(cells, config.source)
        target, targets = parts_of(cells, config.target)
        key = "" if config.key is None else str(cells[config.key])
        if config.files is not None:
            media = Media(config.files, source)
            key = key or f"{Path(config.files).name}/{media.inner}"
        if self._prompt is not None:
            given = source
            key = key or source_key(given) or given  # a sentence is held out in every language that it is asked for in
            source = self._prompt.fill(lambda name: given if name == "source" else text_of(cells[config.column(name)]))
            sources = ()
        return Record(source, targets[0] if targets else target, where, sources, targets, key, media, self.family)
