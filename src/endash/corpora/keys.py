"""A source's key: what is left of it when what near-duplicates differ in is taken away."""

from __future__ import annotations

import hashlib
import re

from endash.corpora.record import Record

_NOT_LETTERS = re.compile(r"[\W\d_]+")


def source_key(text: str) -> str:
    """The letters of `text` in lower case, without placeholders, digits, punctuation and white space.

    Texts of one key are near-duplicates: ``Delete {count} files?`` and ``delete %d files``. All texts without letters share
    the empty key.
    """
    from endash.text.placeholders import find_placeholders

    # the longest first, for one may hold another: <a href="{x}">
    for placeholder in sorted(set(find_placeholders(text)), key=lambda one: (-len(one), one)):
        text = text.replace(placeholder, " ")
    return _NOT_LETTERS.sub("", text.lower())


def digest(text: str) -> int:
    """64 bits of BLAKE2b over the UTF-8 of `text`: the same number on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def key_digest(text: str) -> int:
    """The digest of a source's key; near-duplicates have the same."""
    return digest(source_key(text))


def record_digest(record: Record) -> int:
    """What decides which part of a split a record is in: the digest of its key as it stands, or of its source's key."""
    return digest(record.key) if record.key else key_digest(record.source)
