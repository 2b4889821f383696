"""The translations inside an installed package's folder, a wheel or a zip file: gettext, and JSON trees with equal keys."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.files import missing, surrogate_in
from endash.corpora.formats.gettext import entry_pairs, parse_mo, parse_po
from endash.corpora.readers import Reader, readers
from endash.corpora.record import BadLine, Record
from endash.errors import CorpusError, nearest

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}", re.ASCII)
_FORMATS = (".json", ".po", ".mo")


class CatalogueConfig(Config):
    """Settings of the reader `catalogue`: a folder, wheel or zip file, two languages, and which inner paths to read.

    `pattern` is a glob over the whole inner path, such as ``*/components/*``; ``*`` also crosses folders.
    """

    kind: Literal["catalogue"] = "catalogue"
    path: str = Field(min_length=1)
    source: str = Field(min_length=1)
    target: str = Field(min_length=1)
    pattern: str = "*"


Load = Callable[[str], bytes]


@readers.register
class Catalogue(Reader):
    """Reads one pair of languages of a program's translations.

    JSON files belong together when their paths differ in nothing but the language (``translations/en.json`` and
    ``translations/de.json``, ``en/app.json`` and ``de/app.json``), strings when their paths of keys are equal. In gettext
    files the msgid is the source: it is in the language that the program is written in. A PO file is passed over where its
    MO file stands beside it.
    """

    Config = CatalogueConfig
    config: CatalogueConfig

    def read(self) -> Iterator[Record | BadLine]:
        """The pairs, file after file in the order of their names. Raises CorpusError if no file is in the target language."""
        config = self.config
        with _open(config.path) as (names, load):
            known = {name for name in names if name.endswith(_FORMATS) and fnmatchcase(name, config.pattern)}
            read_any = False
            for name in sorted(known):
                if not _has_language(name, config.target):
                    continue
                if name.endswith(".json"):
                    twin = _twin(name, config, known)
                    if twin is not None:
                        read_any = True
                        yield from self._json(load, twin, name)
                elif not (name.endswith(".po") and name[:-3] + ".mo" in known):
                    read_any = True
                    yield from self._gettext(load, name)
        if not read_any:
            raise self._nothing(known)

    def _gettext(self, load: Load, name: str) -> Iterator[Record | BadLine]:
        parse = parse_po if name.endswith(".po") else parse_mo
        try:
            entries = parse(name, load(name))
        except CorpusError as error:
            yield BadLine(f"{self.config.path}!{name}", str(error))
            return
        for number, entry in enumerate(entries, start=1):
            yield from entry_pairs(entry, f"{self.config.path}!{name}#{number}")

    def _json(self, load: Load, source: str, target: str) -> Iterator[Record | BadLine]:
        trees = []
        for name in (source, target):
            try:
                trees.append(dict(_leaves(json.loads(load(name).decode("utf-8-sig")))))
            except (ValueError, RecursionError) as error:
                yield BadLine(f"{self.config.path}!{name}", f"cannot be read as JSON: {error}")
                return
        for keys, text in trees[0].items():
            other = trees[1].get(keys)
            if other is None:
                continue
            where = f"{self.config.path}!{target}#{'.'.join(keys)}"
            half = surrogate_in(text) or surrogate_in(other)
            yield BadLine(where, f"holds {half}, half a character") if half else Record(text, other, where)

    def _nothing(self, known: set[str]) -> CorpusError:
        config = self.config
        found = {part for name in known for part in _languages(name)}
        if not found:
            return CorpusError(f"{config.path} holds no translations (.json, .po or .mo) at {config.pattern!r}")
        asked = config.source if config.target in found else config.target
        return CorpusError(
            f"{config.path} holds no translations from {config.source!r} to {config.target!r} at {config.pattern!r}: "
            f"{nearest(asked, found)}"
        )


@contextmanager
def _open(path: str) -> Iterator[tuple[list[str], Load]]:
    """The inner paths, with ``/``, and what reads one of them."""
    if not os.path.exists(path):
        raise missing(path)
    if os.path.isdir(path):
        root = Path(path)
        yield (
            [
                (Path(folder) / name).relative_to(root).as_posix()
                for folder, _, names in os.walk(root)
                for name in names
                if name.endswith(_FORMATS)
            ],
            lambda name: (root / name).read_bytes(),
        )
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive.namelist(), archive.read
    except zipfile.BadZipFile as error:
        raise CorpusError(f"{path} is neither a folder nor a wheel or zip file: {error}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from None


def _same(part: str, language: str) -> bool:
    return part.lower().replace("_", "-") == language.lower().replace("_", "-")


def _parts(name: str) -> list[str]:
    """The places where a path can name a language: its folders, its stem, and each dotted part of the stem."""
    *folders, last = name.split("/")
    return folders + last.split(".")[:-1]


def _has_language(name: str, language: str) -> bool:
    return any(_same(part, language) for part in _parts(name))


def _languages(name: str) -> Iterator[str]:
    return (part for part in _parts(name)[-4:] if _LANGUAGE.fullmatch(part))


def _twin(name: str, config: CatalogueConfig, known: set[str]) -> str | None:
    """The path of the source language's file, if there is one."""
    pieces = re.split("([/.])", name)
    spellings = {config.source, config.source.replace("-", "_"), config.source.replace("_", "-")}
    for place in range(len(pieces) - 3, -1, -2):
        if _same(pieces[place], config.target):
            for spelling in sorted(spellings):
                twin = "".join([*pieces[:place], spelling, *pieces[place + 1 :]])
                if twin in known:
                    return twin
    return None


def _leaves(tree: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each string of a JSON tree with its path of keys."""
    if isinstance(tree, str):
        yield keys, tree
    elif isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _leaves(branch, (*keys, key))
    elif isinstance(tree, list):
        for place, branch in enumerate(tree):
            yield from _leaves(branch, (*keys, str(place)))
