"""The cells of a row: texts, lists of texts or numbers, and why they are not what is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping

from endash.corpora.files import surrogate_in
from endash.errors import CorpusError, nearest

Column = str | int
Cells = Mapping[Column, object]
_TOLD = 50  # values of a column that are listed where one is asked for that is not there


def text_of(cell: object) -> str:
    """A text as it stands, a list of words with spaces between."""
    return cell if isinstance(cell, str) else " ".join(cell) if isinstance(cell, list) else str(cell)


def parts_of(cells: Cells, columns: Column | tuple[Column, ...]) -> tuple[str, tuple[str, ...]]:
    """The text of a column or several (a line each), and its parts if there are several columns or the one holds a list."""
    if not isinstance(columns, tuple):
        cell = cells[columns]
        return (cell, ()) if isinstance(cell, str) else (text_of(cell), tuple(cell) if isinstance(cell, list) else ())
    held = [cells[column] for column in columns]
    parts = tuple(part for cell in held for part in (cell if isinstance(cell, list) else [text_of(cell)]))
    return "\n".join(map(text_of, held)), parts


def not_there(cells: Cells, column: Column) -> str | None:
    """Why a row has nothing in a column."""
    return None if column in cells else f"no field {column!r}: {nearest(str(column), map(str, cells))}"


def not_text(cells: Cells, column: Column) -> str | None:
    """Why a column holds neither text nor a list of texts of which none is empty."""
    if reason := not_there(cells, column):
        return reason
    cell = cells[column]
    if not isinstance(cell, list):
        return _no_text(cell, f"the field {column!r}")
    if not cell:
        return f"the field {column!r} is an empty list"
    for number, entry in enumerate(cell, start=1):
        where = f"entry {number} of the field {column!r}"
        if reason := _no_text(entry, where):
            return reason
        if not entry.strip():
            return f"{where} is empty"
    return None


def _no_text(value: object, where: str) -> str | None:
    if not isinstance(value, str):
        written = f'"{json.dumps(value)}"' if isinstance(value, int | float) else "a text in quotation marks"
        return f"{where} holds {called(value)}, and not text: write {written}"
    half = surrogate_in(value)
    return f"{where} holds {half}, half a character" if half else None


def called(value: object) -> str:
    """What a value of JSON is called."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"the number {json.dumps(value)}"
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "a text"


def not_key(cells: Cells, column: Column) -> str | None:
    """Why a column cannot tell which part of a split a record is in."""
    if reason := not_there(cells, column):
        return reason
    cell = cells[column]
    if not isinstance(cell, str | int):
        return f"the key {column!r} holds {called(cell)}, and neither text nor a whole number"
    return None if str(cell).strip() else f"the key {column!r} is empty"


class Choice:
    """Which rows are read, by the values of columns; remembers what there was, for a value may be misspelled."""

    def __init__(self, path: str, asked: Mapping[tuple[str, Column], tuple[str, ...]]) -> None:
        """`asked`: for each setting, ``keep`` or ``leave``, and column the values."""
        self.path = path
        self._asked = {place: frozenset(values) for place, values in asked.items()}
        self._seen: dict[tuple[str, Column], set[str]] = {place: set() for place in asked}

    def not_there(self, cells: Cells) -> str | None:
        """Why it cannot be told whether a row is read."""
        return next(filter(None, (not_there(cells, column) for _, column in self._asked)), None)

    def takes(self, cells: Cells) -> bool:
        """True if a row is read. A list counts as each of its values."""
        taken = True
        for (setting, column), asked in self._asked.items():
            values = _values(cells[column])
            self._remember((setting, column), values, asked)
            taken = taken and asked.isdisjoint(values) == (setting == "leave")
        return taken

    def _remember(self, place: tuple[str, Column], values: list[str], asked: frozenset[str]) -> None:
        seen = self._seen[place]
        seen.update(value for value in values if value in asked or len(seen) < _TOLD)

    def check(self) -> None:
        """Raises CorpusError, after all rows, for a value that none of them had."""
        for (setting, column), asked in self._asked.items():
            seen = self._seen[setting, column]
            for value in sorted(asked - seen):
                raise CorpusError(
                    f"{setting}.{column} = {value!r}, and no row of {self.path} has that there: {nearest(value, seen)}"
                )


def _values(cell: object) -> list[str]:
    if isinstance(cell, list):
        return [value for entry in cell for value in _values(entry)]
    return [cell if isinstance(cell, str) else json.dumps(cell)]
