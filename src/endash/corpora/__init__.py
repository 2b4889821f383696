"""Corpora: pairs of texts out of files, filtered and split, and files with their translations put in."""

from endash.corpora.corpus import Corpus, CorpusConfig, Fault, Part, SplitConfig
from endash.corpora.filters import filters
from endash.corpora.guess import guess_reader, guessed_columns, like
from endash.corpora.languages import target_language
from endash.corpora.media import Media
from endash.corpora.readers import Reader, readers
from endash.corpora.record import BadLine, Record
from endash.corpora.report import CorpusReport
from endash.corpora.translating import TranslatedFile, translate_file

__all__ = [
    "BadLine",
    "Corpus",
    "CorpusConfig",
    "CorpusReport",
    "Fault",
    "Media",
    "Part",
    "Reader",
    "Record",
    "SplitConfig",
    "TranslatedFile",
    "filters",
    "guess_reader",
    "guessed_columns",
    "like",
    "readers",
    "target_language",
    "translate_file",
]
