"""Which reader fits a path that was given on the command line."""

from __future__ import annotations

import os
import re
from typing import Any

from pydantic import ValidationError

from endash.config import Config
from endash.corpora.files import Line, missing, read_lines, suffix_of
from endash.corpora.formats.jsonl import objects
from endash.corpora.formats.lines import LinesConfig
from endash.corpora.formats.table import Row
from endash.corpora.formats.tsv import TsvConfig
from endash.corpora.readers import guess_columns, readers
from endash.corpora.scripts import LANGUAGES
from endash.errors import CorpusError

_NAMED = re.compile(r"(?P<path>.+):(?P<source>[^:,/\\]+),(?P<target>[^:,/\\]+)")
SUFFIXES = {
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".tmx": "tmx",
    ".xlf": "xliff",
    ".xliff": "xliff",
    ".po": "po",
    ".mo": "mo",
    ".whl": "catalogue",
    ".zip": "catalogue",
}
_FORMS = (
    "FILE.tsv, FILE.jsonl, FILE.tmx, FILE.xlf, FILE.po, FILE.mo (each also .gz), FILE.en,FILE.de for aligned lines, "
    "FILE.tsv:en,de to name columns or languages, PACKAGE.whl:en,de for the translations in it"
)


def split_names(given: str, source: str | None, target: str | None) -> tuple[str, str | None, str | None]:
    """The path in ``FILE:source,target``, and the two names; those given beside it win."""
    found = None if os.path.exists(given) else _NAMED.fullmatch(given)
    return (found["path"], source or found["source"], target or found["target"]) if found else (given, source, target)


def guess_reader(path: str, source: str | None = None, target: str | None = None) -> Config:
    """The settings of the reader for a path as users type it, by its suffix.

    `source` and `target` name columns, fields or languages, as does ``FILE.tsv:en,de`` (or ``FILE.tsv:0,1``, numbers from 0,
    where there is no header). Without them a table's columns ``source`` and ``target`` are taken, or its only two. Raises
    CorpusError if the format is not known, or there is a choice to make.
    """
    given = path
    path, source, target = split_names(path, source, target)
    if not os.path.exists(path):
        return _lines(path)
    kind = "catalogue" if os.path.isdir(path) else SUFFIXES.get(suffix_of(path))
    if kind is None:
        raise CorpusError(f"{path}: a corpus of the format {suffix_of(path)!r} is not known: allowed: {_FORMS}")
    if kind in ("po", "mo"):
        if source or target:
            raise CorpusError(f"{given}: a .{kind} file has no columns or languages to name: give its path alone")
        return readers.config(kind).model_validate({"path": path})
    if kind == "tsv":
        return _tsv(path, source, target)
    if kind == "jsonl" and not (source and target):
        fields = _fields(path)
        guessed = guess_columns(path, fields, how=f"{path}:en,de") if not source else (source, "target")
        source, target = source or guessed[0], target or guessed[1]
    try:
        return readers.config(kind).model_validate({"path": path, "source": source, "target": target})
    except ValidationError:
        raise CorpusError(f"{given}: name two languages, as in {path}:en,de") from None


def guessed_columns(given: str) -> str | None:
    """A sentence for the user on which columns `guess_reader` takes by their place alone; None if it guesses nothing."""
    path, *names = split_names(given, None, None)
    if any(names) or is_plain_text(path) or not os.path.isfile(path) or suffix_of(path) not in (".tsv", ".jsonl"):
        return None
    reader: Any = guess_reader(given)
    if reader.source == "source":
        return None
    rows = f", and {path}:0,1 if line 1 is a row already" if reader.kind == "tsv" else ""
    return (
        f"{path}: taking {reader.source!r} for the source and {reader.target!r} for the target; "
        f"{path}:SOURCE,TARGET names others{rows}"
    )


def _lines(path: str) -> LinesConfig:
    """Settings for ``FILE.en,FILE.de``, where a path may itself hold commas. Raises CorpusError if a file is missing."""
    commas = [place for place, character in enumerate(path) if character == ","]
    halves = [(path[:place], path[place + 1 :]) for place in commas if path[place + 1 :] and place]
    pair = next((pair for pair in halves if all(map(os.path.exists, pair))), None)
    if pair is None:
        tried = halves[0] if halves else (path,)
        raise missing(next(one for one in tried if not os.path.exists(one)))
    return LinesConfig(source=pair[0], target=pair[1])


def is_plain_text(path: str) -> bool:
    """True if a path is named as plain text: .txt, or a language code (``news.en``, ``news.zh-Hans``)."""
    suffix = suffix_of(path)
    return suffix == ".txt" or suffix[1:].replace("_", "-").split("-")[0] in LANGUAGES


def _tsv(path: str, source: str | None, target: str | None) -> TsvConfig:
    if source and target and source.isdecimal() and target.isdecimal():
        return TsvConfig(path=path, source=int(source), target=int(target), header=False)
    if not (source and target):
        first = next(read_lines(path), None)
        names = first.text.split("\t") if isinstance(first, Line) else []
        guessed = guess_columns(path, names, how=f"{path}:en,de") if not source else (source, "target")
        source, target = source or guessed[0], target or guessed[1]
    return TsvConfig(path=path, source=source, target=target)


def _fields(path: str) -> list[str]:
    """The text fields of the first object in a JSONL file."""
    first = next((row for row in objects(path) if isinstance(row, Row)), None)
    return [str(name) for name, value in first.cells.items() if isinstance(value, str)] if first else []
