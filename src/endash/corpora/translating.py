"""Translate a file and keep its format: what is not a translation comes out as it went in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from endash.config import Config
from endash.corpora.files import replacing, suffix_of
from endash.corpora.formats.lines import LinesConfig
from endash.corpora.guess import SUFFIXES, guess_reader, is_plain_text, split_names
from endash.corpora.readers import Job, Reader, readers
from endash.errors import CorpusError, LongTextError

Translate = Callable[[list[str]], list[str]]


@dataclass(frozen=True, slots=True)
class TranslatedFile:
    """How many texts of a file were translated, and how many translations that it held were kept."""

    translated: int
    kept: int


def translate_file(
    in_path: str,
    out_path: str,
    translate: Translate,
    *,
    check: Callable[[list[str]], None] | None = None,
    source: str | None = None,
    target: str | None = None,
    batch: int = 512,
) -> TranslatedFile:
    """Translate the texts of `in_path` into `out_path`, a file of the same format, written whole or not at all.

    `in_path` may name columns or languages, as for `guess_reader`; one ending in .txt or a language code is plain text, a
    text a line. `translate` is given up to `batch` texts (blank ones stay as they are) and returns as many; `check` is given
    all of them before, and raises LongTextError for one that `translate` would refuse. `out_path` may be `in_path`. Raises
    CorpusError if the format is not known or only read, or a line cannot be read or is too long: then nothing is written.
    """
    path = split_names(in_path, source, target)[0]
    reader = readers.build(_config(in_path, out_path, source, target))
    if check is not None and os.path.isfile(path):  # a pipe can be read only once
        for _ in _translated(_groups(reader.jobs(), batch), _echo(check)):
            pass
    done = TranslatedFile(0, 0)
    with replacing(out_path) as out:
        for written, more in _translated(_groups(reader.jobs(), batch), translate):
            out.write(written)
            done = TranslatedFile(done.translated + more.translated, done.kept + more.kept)
    return done


def _config(in_path: str, out_path: str, source: str | None, target: str | None) -> Config:
    """The settings of the reader for `in_path`."""
    path, *names = split_names(in_path, source, target)
    if is_plain_text(path):
        if any(names):
            raise CorpusError(f"{in_path}: plain text has no columns or languages to name: give its path alone")
        return LinesConfig(source=path, target=path)
    if os.path.isfile(path) and suffix_of(path) not in SUFFIXES:
        written = sorted(suffix for suffix, kind in SUFFIXES.items() if readers[kind].jobs is not Reader.jobs)
        raise CorpusError(
            f"{path}: files named {suffix_of(path) or 'without a suffix'} are not translated: plain lines are FILE.txt, or "
            f"FILE.en by their language; other formats are {', '.join(written)}"
        )
    _same_format(path, out_path)
    return guess_reader(in_path, source, target)


def _translated(groups: Iterable[list[Job]], translate: Translate) -> Iterator[tuple[bytes, TranslatedFile]]:
    """What is to be written of each group of jobs, and how many texts it holds. Raises CorpusError for a text too long."""
    for group in groups:
        texts = [(text, job) for job in group for text in job.texts if text.strip()]
        try:
            done = translate([text for text, _ in texts]) if texts else []
        except LongTextError as error:
            raise CorpusError(f"{texts[error.row][1].where}: {error.reason}: nothing was written") from None
        assert len(done) == len(texts), f"{len(done)} translations of {len(texts)} texts"
        translations = iter(done)
        written = [job.write([next(translations) if text.strip() else text for text in job.texts]) for job in group]
        yield "".join(written).encode("utf-8"), TranslatedFile(len(texts), sum(job.kept for job in group))


def _echo(check: Callable[[list[str]], None]) -> Translate:
    def echo(texts: list[str]) -> list[str]:
        check(texts)
        return texts

    return echo


def _same_format(in_path: str, out_path: str) -> None:
    if suffix_of(in_path) != suffix_of(out_path):
        raise CorpusError(
            f"{in_path} is translated into a file of the same format, and {out_path} is named otherwise: name it "
            f"*{suffix_of(in_path)} (or *{suffix_of(in_path)}.gz)"
        )


def _groups(jobs: Iterable[Job], size: int) -> Iterator[list[Job]]:
    """Jobs in their order, in groups of about `size` texts."""
    group: list[Job] = []
    texts = 0
    for job in jobs:
        group.append(job)
        texts += len(job.texts)
        if texts >= size or len(group) >= 8 * size:
            yield group
            group, texts = [], 0
    yield group
