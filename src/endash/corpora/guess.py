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


def like(config: Config, path: str, *, files: str | None = None) -> Config:
    """The settings of the reader for another file than that of `config`, with its columns, prompt and all else that it says.

    What it says of the rows of its own file does not hold of the other: its class names that in ``elsewhere``. `files` is where
    the recordings or pictures of the other are, if not where its own are. A TSV file may stand for JSONL with fields of the same
    names, and the other way round. A path that names columns, ``FILE.tsv:en,de``, and one of another format are guessed as by
    `guess_reader`, and get the prompt. Raises CorpusError as that does, for `files` where the sources are texts, and for a format
    that takes no prompt where there is one.
    """
    kind = None if any(split_names(path, None, None)[1:]) else _kind_like(config, path)
    if files is not None and (kind is None or getattr(config, "files", None) is None):
        raise CorpusError(
            f"files = {files!r}: the sources of {path} are texts, and no files belong to them: leave it out"
        )
    if kind is None:
        return _prompted(config, guess_reader(path), path)
    held = {name: getattr(config, name) for name in type(config).model_fields if name != "kind"}
    held |= {"path": path} | ({"files": files} if files is not None else {}) | getattr(config, "elsewhere", {})
    fields = readers.config(kind).model_fields
    return _made(kind, {name: value for name, value in held.items() if name in fields}, path)


def _prompted(config: Config, guessed: Config, path: str) -> Config:
    """The settings `guessed` for a path, with the prompt and family of `config`."""
    asked = {name: held for name in ("prompt", "family") if (held := getattr(config, name, None)) is not None}
    if not asked.keys() <= type(guessed).model_fields.keys():
        if "prompt" not in asked:
            return guessed
        raise CorpusError(
            f"{path}: the model's sources are made by a prompt from the columns of a table: give a file of .tsv or .jsonl"
        )
    return _made(str(getattr(guessed, "kind")), guessed.model_dump() | asked, path)  # noqa: B009


def _made(kind: str, settings: dict[str, Any], path: str) -> Config:
    try:
        return readers.config(kind).model_validate(settings)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise CorpusError(f"{path} cannot be read as the model's corpus was: {reason}") from None


def _kind_like(config: Config, path: str) -> str | None:
    """The kind of the reader that reads `path` as `config` says; None if the path is of another format."""
    kind, own = str(getattr(config, "kind")), getattr(config, "path", None)  # noqa: B009  (every registered Config has a kind)
    if own is None:
        return None
    mine, other = kind if kind in SUFFIXES.values() else _format(own), _format(path)
    if mine == other or (suffix_of(own) == suffix_of(path) and not os.path.isdir(path)):
        return kind
    tables = {"tsv": "jsonl", "jsonl": "tsv", "plain": "plain"}
    return tables.get(kind) if {mine, other} == {"tsv", "jsonl"} else None


def _format(path: str) -> str:
    return "catalogue" if os.path.isdir(path) else SUFFIXES.get(suffix_of(path), "text")


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
