"""The texts that a command reads: a corpus's, or the lines of standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from endash.cli.parser import note
from endash.cli.streams import naming_lines, read_all
from endash.errors import CorpusError, EndashError, LongTextError, TextError

if TYPE_CHECKING:
    from endash.config import Config
    from endash.corpora import CorpusConfig, Fault, Record
    from endash.loading import AnyModel
    from endash.recipe import Recipe
    from endash.tasks import Task


def corpus_records(path: str) -> list[Record]:
    """The pairs of a file as users name it; what was guessed of it, and what was bad in it, is told."""
    return records_of(corpus_of(path))


def corpus_of(path: str, recipe: Recipe | None = None, files: str | None = None) -> CorpusConfig:
    """The corpus whose test part is a file as users name it; what was guessed of it is told.

    With a `recipe` it is read as that reads its train or test part; of several readers, by the one that reads this very file, or
    these columns of it. A path that names its columns, as FILE:a,b, or that is of another kind of file, is read as users name it,
    and asked with the recipe's prompt. `files` is where the recordings or pictures are that it names. Raises CorpusError where
    the recipe has several prompts or families, and it cannot be told which of them is meant.
    """
    from endash.corpora import CorpusConfig, guess_reader, guessed_columns, like

    own = _own_reader(path, recipe) if recipe else None
    reader = None if own is None else like(own, path, files=files)
    if reader is None:
        reader = guess_reader(path)
        if guessed := guessed_columns(path):
            note(guessed)
    return CorpusConfig(train=(reader,), test=(reader,))


def corpus_for(recipe: Recipe, path: str, files: str | None = None) -> CorpusConfig:
    """The corpus whose test part is a file, for a model of this recipe: any pairs for a translation without a prompt, and for all
    others what is read as the recipe reads its own, by `corpus_of`.
    """
    from endash.tasks import TranslationTask

    prompted = any(getattr(one, "prompt", None) for one in recipe.corpus.train)
    return corpus_of(path, None if isinstance(recipe.does, TranslationTask) and not prompted else recipe, files)


def _own_reader(path: str, recipe: Recipe) -> Config | None:
    """The settings of the recipe's reader by which a file is read; None if it has none, or the file's columns are another's."""
    from endash.corpora.guess import split_names
    from endash.corpora.readers import readers

    file, *columns = split_names(path, None, None)
    own = [*recipe.corpus.train, *recipe.corpus.test]
    of_file = [one for one in own if os.path.realpath(getattr(one, "path", "")) == os.path.realpath(file)] or own
    named = [one for one in of_file if [str(getattr(one, side, "")) for side in ("source", "target")] == columns]
    found = named or of_file
    asked = {(getattr(one, "prompt", None), readers.build(one).family): one for one in found}
    if len(asked) < 2:
        return found[0] if found else None
    told = ", ".join(sorted({family or "other" for _, family in asked}))
    if any(columns) and not named:
        note(f"{path}: the sources are asked as they stand, with no prompt of the families {told}")
        return None
    raise CorpusError(
        f"{path}: the model's corpus has the families {told}, and it cannot be told which of them these records are of: leave CORPUS "
        f"out for the model's own test part, or name the columns: those of one of them, as {file}:en,de, or any others, whose "
        "sources are then asked as they stand"
    )


def records_of(config: CorpusConfig, fault: Fault | None = None) -> list[Record]:
    """The records of a corpus's test part; what was bad in it, as by `fault`, is told."""
    from endash.corpora import Corpus

    corpus = Corpus(config, "test", fault=fault)
    records = list(corpus)
    note(str(corpus.report))
    return records


def sources_of(model: AnyModel, path: str, files: str | None = None) -> list[Record]:
    """A record of each source of a file, read as the model's recipe reads its own but for the targets, which need not be there.

    Raises CorpusError for the first row that holds no source, and for a format that passes over what has no target.
    """
    from endash.corpora import BadLine
    from endash.corpora.readers import readers

    (reader,) = corpus_of(path, model.recipe, files).test
    records = []
    for one in readers.build(reader).sources():
        if isinstance(one, BadLine):
            raise CorpusError(f"{one}: mend it, for each row gets an answer")
        if reason := _source_fault(model.task, one):
            raise CorpusError(f"{one.where}: {reason}: mend it, for each row gets an answer")
        records.append(one)
    return records


def _source_fault(task: Task, record: Record) -> str | None:
    """Why a record, whatever its target, cannot be answered."""
    if task.reads == task.writes == "text":
        return None
    count = len(record.parts) if task.writes == "tags" else 1
    return task.fault(replace(record, target="O", targets=("O",) * count))  # as if it had one that is right


def records_of_lines(model: AnyModel, lines: Iterable[str], *, first: int) -> list[Record]:
    """A record of each line of standard input, of which they are those from `first` on. Raises CorpusError that names a line."""
    records = []
    for number, line in enumerate(lines, start=first):
        try:
            records.append(model.record(line))
        except EndashError as error:
            raise CorpusError(f"standard input, line {number}: {error}") from None
    return records


@contextmanager
def naming_records(records: list[Record]) -> Iterator[None]:
    """Turns a source that is too long into a TextError that names its record."""
    try:
        yield
    except LongTextError as error:
        raise TextError(f"{records[error.row].where}: {error.reason}") from None


@contextmanager
def sources(corpus: str | None, what: str, recipe: Recipe) -> Iterator[list[str]]:
    """The sources of a corpus, read for a model of this recipe, or where none is given the lines of standard input.

    A text that is too long is named.
    """
    if corpus is None:
        lines = read_all(what)
        with naming_lines(1):
            yield lines
    else:
        records = records_of(corpus_for(recipe, corpus))
        with naming_records(records):
            yield [record.source for record in records]
