"""A file for each format; importing this package registers the readers."""

from endash.corpora.formats import catalogue, gettext, jsonl, lines, tmx, tsv, xliff

__all__ = ["catalogue", "gettext", "jsonl", "lines", "tmx", "tsv", "xliff"]
