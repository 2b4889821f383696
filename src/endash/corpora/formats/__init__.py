"""A file for each format; importing this package registers the readers."""

from endash.corpora.formats import catalogue, dialogue, gettext, jsonl, lines, plain, tmx, tsv, xliff

__all__ = ["catalogue", "dialogue", "gettext", "jsonl", "lines", "plain", "tmx", "tsv", "xliff"]
