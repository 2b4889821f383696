"""BLEU, chrF and TER by sacrebleu, each with its signature: pure strings in, figures out.

BLEU is Papineni et al. 2002, chrF Popović 2015, TER Snover et al. 2006, all as sacrebleu computes them (Post 2018), so
that the figures can be set beside published ones. BLEU and chrF are better when higher, TER when lower.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from endash.corpora.scripts import LANGUAGES
from endash.errors import CorpusError, RecipeError, nearest

RESAMPLES = 1000
"""Bootstrap resamples behind an interval, the figure that WMT uses."""

_SCRIPTS_WITHOUT_SPACES = frozenset({"th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bo", "bod"})
_CHINESE = frozenset({"zh", "zho", "chi", "cmn", "yue", "wuu"})
_MECAB = {"ja": "ja", "jpn": "ja", "ko": "ko", "kor": "ko"}
_MECAB_MODULES = {"ja": "MeCab", "ko": "mecab_ko"}
_TOKENIZERS = ("13a", "char", "intl", "ja-mecab", "ko-mecab", "none", "zh")
_ASIAN = frozenset({"zh", "char", "ja-mecab", "ko-mecab"})


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a corpus in its metric's points, its signature, and the bounds of its 95 % interval if asked for."""

    name: str
    value: float
    signature: str
    low: float | None = None
    high: float | None = None


def check_language(code: str) -> None:
    """Raise RecipeError for a language code that is not known, by which a tokenizer would be chosen wrongly."""
    known = LANGUAGES | _CHINESE | _MECAB.keys() | _SCRIPTS_WITHOUT_SPACES
    if _short(code) not in known:
        raise RecipeError(f"{code!r} is no language code that is known: {nearest(_short(code), known)}")


def tokenizer_for(language: str | None) -> str:
    """The sacrebleu tokenizer in which a target language's BLEU is given, for a code such as ``zh-Hans`` or ``pt_BR``.

    Chinese is cut into characters (``zh``), Japanese and Korean into words where sacrebleu's extra for it is installed
    and else into characters, as are languages written without spaces; everything else, and None, is ``13a``.
    """
    code = _short(language)
    if code in _CHINESE:
        return "zh"
    if code in _MECAB:
        short = _MECAB[code]
        return f"{short}-mecab" if importlib.util.find_spec(_MECAB_MODULES[short]) else "char"
    return "char" if code in _SCRIPTS_WITHOUT_SPACES else "13a"


def tokenizer_note(language: str | None) -> str | None:
    """A note for readers if the tokenizer for `language` is only a stand-in, with what to install; else None."""
    code = _short(language)
    if code in _MECAB and tokenizer_for(language) == "char":
        short = _MECAB[code]
        return f"BLEU is over characters, not words: pip install 'sacrebleu[{short}]' for {short}-mecab"
    return None


def _short(language: str | None) -> str:
    return (language or "").replace("_", "-").split("-")[0].lower()


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False, tokenize: str | None = None
) -> Metric:
    """BLEU of a corpus, 0 to 100, higher is better; `tokenize` is from `tokenizer_for`, ``13a`` if None.

    Raises CorpusError for lists that are empty or of unequal length, RecipeError for an unknown tokenizer.
    """
    return _score("bleu", hypotheses, references, confidence=confidence, tokenize=tokenize)


def chrf(
    hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False, tokenize: str | None = None
) -> Metric:
    """chrF2 of a corpus, 0 to 100, higher is better; over characters, whatever `tokenize` is. Raises as `bleu`."""
    return _score("chrf", hypotheses, references, confidence=confidence, tokenize=tokenize)


def ter(
    hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False, tokenize: str | None = None
) -> Metric:
    """TER of a corpus: edits per hundred reference words, lower is better. Raises as `bleu`.

    With a tokenizer for text without spaces, sacrebleu's own splitting of Chinese and Japanese characters is used.
    """
    return _score("ter", hypotheses, references, confidence=confidence, tokenize=tokenize)


def scorer(name: str, *, tokenize: str | None = None) -> Any:
    """The sacrebleu metric called ``bleu``, ``chrf`` or ``ter``.

    Raises RecipeError for a tokenizer that is unknown or not installed.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    tokenizer = tokenize or "13a"
    if tokenizer not in _TOKENIZERS:
        raise RecipeError(f"tokenize = {tokenizer!r} is unknown: {nearest(tokenizer, _TOKENIZERS)}")
    if name == "chrf":
        return CHRF()
    if name == "ter":
        asian = tokenizer in _ASIAN
        return TER(normalized=asian, asian_support=asian)
    try:
        # force: our text is never tokenized, so the warning about lines that end in " ." would only mislead.
        return BLEU(tokenize=tokenizer, force=True)
    except RuntimeError as problem:
        language = tokenizer.split("-")[0]
        raise RecipeError(
            f"tokenize = {tokenizer!r} needs more than is installed: pip install 'sacrebleu[{language}]', or use 'char'"
        ) from problem


def check_lengths(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raises CorpusError unless there is one hypothesis for each reference, and at least one."""
    if len(hypotheses) != len(references):
        raise CorpusError(
            f"{len(hypotheses)} hypotheses for {len(references)} references: "
            "give one hypothesis a reference, in the same order (an empty line counts)"
        )
    if not references:
        raise CorpusError("0 hypotheses and 0 references: a metric needs at least one of each")


def _score(
    name: str, hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool, tokenize: str | None
) -> Metric:
    check_lengths(hypotheses, references)
    metric = scorer(name, tokenize=tokenize)
    found = metric.corpus_score(list(hypotheses), [list(references)], n_bootstrap=RESAMPLES if confidence else 1)
    value, signature = float(found.score), str(metric.get_signature())
    if not confidence:
        return Metric(name, value, signature)
    return Metric(name, value, signature, low=float(found._mean - found._ci), high=float(found._mean + found._ci))
