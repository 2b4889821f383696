"""The words of a text, for metrics that count words: what spaces separate, and each character where none are written.

Characters of Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan are words of their own in any text, so that no metric has
to be told its language.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Tibetan, Thai and Lao, Burmese, Khmer, kana, Han (with its extensions), Han for compatibility, half-width kana
_CHARACTERS = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_CHARACTER = re.compile(rf"([{_CHARACTERS}])")
_SPACES_BETWEEN = re.compile(rf"(?<=[{_CHARACTERS}])\s+(?=[{_CHARACTERS}])")


def split_words(text: str) -> list[str]:
    """The words of `text` as they stand, with case and punctuation."""
    return _CHARACTER.sub(r" \1 ", text).split()


def plain_words(text: str) -> list[str]:
    """The words of `text` in lower case, cut at every punctuation mark and symbol, which are no words."""
    return split_words("".join(_plain(character) for character in text.lower()))


def characters(text: str) -> str:
    """The characters of `text`: a run of white space is one space, and none stands between two of a script without spaces."""
    return _SPACES_BETWEEN.sub("", " ".join(text.split()))


@lru_cache(maxsize=65536)
def _plain(character: str) -> str:
    # Letters, their marks and numbers are words; all the rest (P punctuation, S symbols, Z separators, C controls) is not.
    return character if unicodedata.category(character)[0] in "LMN" else " "
