"""Which scripts a language is written in, and in which scripts a text is."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from endash.errors import CorpusError, nearest

# Names as in Unicode's character names. Languages not here are not known: better to ask than to guess Latin.
_SCRIPTS = {
    "arabic": "ar ckb fa ps sd ug ur",
    "armenian": "hy",
    "bengali": "as bn",
    "cyrillic": "be bg kk ky mk mn ru sr tg tt uk",
    "cjk": "ja ko yue zh",
    "devanagari": "hi mr ne sa",
    "ethiopic": "am ti",
    "georgian": "ka",
    "greek": "el",
    "gujarati": "gu",
    "gurmukhi": "pa",
    "hangul": "ko",
    "hebrew": "he iw yi",
    "hiragana": "ja",
    "kannada": "kn",
    "katakana": "ja",
    "katakana-hiragana": "ja",  # the name of ー, which lengthens a vowel in both
    "khmer": "km",
    "lao": "lo",
    "latin": "af az bs ca cs cy da de en eo es et eu fi fil fr ga gl gsw ha hr hu id is it la lb lt lv ms mt nb nl nn no pl pt"
    " ro sk sl so sq sr sv sw tl tr uz vi yo zu",
    "malayalam": "ml",
    "myanmar": "my",
    "oriya": "or",
    "sinhala": "si",
    "tamil": "ta",
    "telugu": "te",
    "thai": "th",
    "tibetan": "bo",
}
LANGUAGES = frozenset(code for codes in _SCRIPTS.values() for code in codes.split())


def known_language(name: str | None) -> str | None:
    """The language code that `name` is or ends in, such as a column's name or a file's (``news.zh-Hans.gz``); else None."""
    code = (name or "").removesuffix(".gz").rpartition(".")[2]
    return code if code.lower().replace("_", "-").split("-")[0] in LANGUAGES else None


def is_chinese(texts: Sequence[str]) -> bool:
    """True if most letters are Han: such text has no spaces for a metric to count words by."""
    return (share_in(" ".join(texts[:1000]), scripts_of("zh")) or 0.0) > 0.5


def scripts_of(name: str) -> frozenset[str]:
    """The scripts of a language code (``zh-Hans``, ``sr``), or the one script that `name` says (``greek``).

    Raises CorpusError if `name` is neither.
    """
    code = name.lower().replace("_", "-").split("-")[0]
    if name.lower() in _SCRIPTS:
        return frozenset([name.lower()])
    found = frozenset(script for script, codes in _SCRIPTS.items() if code in codes.split())
    if not found:
        raise CorpusError(
            f"{name!r} is no language or script that is known here: give its script; {nearest(name, _SCRIPTS)}"
        )
    return found


@lru_cache(maxsize=65536)
def _script(letter: str) -> str:
    """The script of one letter, from its Unicode name; full-width and half-width letters count as what they stand for."""
    plain = unicodedata.normalize("NFKC", letter)[:1]
    return unicodedata.name(plain, "unknown").split()[0].lower()


def share_in(text: str, scripts: frozenset[str]) -> float | None:
    """The share (0 to 1) of the letters of `text` that are in `scripts`; None when it has no letters."""
    counts = {letter: count for letter, count in Counter(text).items() if letter.isalpha()}
    letters = sum(counts.values())
    return sum(count for letter, count in counts.items() if _script(letter) in scripts) / letters if letters else None
