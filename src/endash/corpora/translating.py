"""Translate a file and keep its format: what is not a translation comes out as it went in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from endash.config import Config
from endash.corpora.files import replacing
from endash.corpora.formats.lines import LinesConfig
from endash.corpora.guess import guess_reader, is_plain_text, split_names, suffix_of
from endash.corpora.readers import Job, readers
from endash.errors import CorpusError

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
    source: str | None = None,
    target: str | None = None,
    batch: int = 512,
) -> TranslatedFile:
    """Translate the texts of `in_path` into `out_path`, a file of the same format, written whole or not at all.

    `in_path` may name columns or languages, as for `guess_reader`; one ending in .txt or a language code is plain text, a
    text a line. `translate` is given up to `batch` texts (blank ones stay as they are) and returns as many. `out_path` may be
    `in_path`. Raises CorpusError if the format is not known or only read, or a line cannot be read: then nothing is written.
    """
    path, *names = split_names(in_path, source, target)
    if is_plain_text(path):
        if any(names):
            raise CorpusError(f"{in_path}: plain text has no columns or languages to name: give its path alone")
        config: Config = LinesConfig(source=path, target=path)
    else:
        _same_format(path, out_path)
        config = guess_reader(in_path, source, target)
    jobs = readers.build(config).jobs()
    translated = kept = 0
    with replacing(out_path) as out:
        for group in _groups(jobs, batch):
            texts = [text for job in group for text in job.texts if text.strip()]
            done = translate(texts) if texts else []
            assert len(done) == len(texts), f"{len(done)} translations of {len(texts)} texts"
            translations = iter(done)
            for job in group:
                filled = [next(translations) if text.strip() else text for text in job.texts]
                out.write(job.write(filled).encode("utf-8"))
            translated += len(texts)
            kept += sum(job.kept for job in group)
    return TranslatedFile(translated, kept)


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
