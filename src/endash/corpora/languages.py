"""Which language the targets of records are in."""

from __future__ import annotations

from collections.abc import Sequence

from endash.config import Config
from endash.corpora.corpus import CorpusConfig
from endash.corpora.readers import Reader, readers
from endash.corpora.record import Record
from endash.corpora.scripts import is_chinese
from endash.errors import CorpusError


def target_language(records: Sequence[Record], corpus: CorpusConfig | None = None) -> str | None:
    """The code of the language that the targets of `records` are in, where it is known.

    That is what the readers of their families in the test part of `corpus`, or else in its train part, call it, if those that
    know agree; else Chinese, if most letters are Han.
    """
    families = {record.family for record in records}
    for part in (corpus.test, corpus.train) if corpus else ():
        known = set(filter(None, (_language(one) for one in _of_families(part, families))))
        if len(known) == 1:
            return known.pop()
    return "zh" if is_chinese([record.target for record in records]) else None


def _of_families(part: Sequence[Config], families: set[str]) -> list[Reader]:
    return [one for one in map(readers.build, part) if one.family in families]


def _language(reader: Reader) -> str | None:
    try:
        return reader.target_language()
    except CorpusError:  # a model's corpus need not be where the model is
        return None
