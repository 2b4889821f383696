"""BLEU, chrF and TER by sacrebleu, each with its signature, its interval and its p-value as sacrebleu gives them.

BLEU is Papineni et al. 2002, chrF Popović 2015, TER Snover et al. 2006, all as sacrebleu computes them (Post 2018), so
that the figures can be set beside published ones. BLEU and chrF are better when higher, TER when lower.
"""

from __future__ import annotations

import importlib.util
import os
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from endash.corpora.scripts import LANGUAGES
from endash.errors import RecipeError, nearest
from endash.evaluation import resampling
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import AdditiveScorer, Answered, Test

_TITLES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}

_SCRIPTS_WITHOUT_SPACES = frozenset({"th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bo", "bod"})
_CHINESE = frozenset({"zh", "zho", "chi", "cmn", "yue", "wuu"})
_MECAB = {"ja": "ja", "jpn": "ja", "ko": "ko", "kor": "ko"}
_MECAB_MODULES = {"ja": "MeCab", "ko": "mecab_ko"}
_TOKENIZERS = ("13a", "char", "intl", "ja-mecab", "ko-mecab", "none", "zh")
_ASIAN = frozenset({"zh", "char", "ja-mecab", "ko-mecab"})


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


class SacreScorer(AdditiveScorer):
    """BLEU, chrF or TER, 0 to 100, of texts with one reference each or several; `tokenize` is from `tokenizer_for`.

    chrF is over characters, whatever the tokenizer is; with one for text without spaces TER splits Chinese and Japanese
    characters as sacrebleu does. Raises RecipeError for a tokenizer that is unknown or not installed.
    """

    def __init__(self, name: str, tokenize: str | None = None) -> None:
        self.name, self.title, self.lower = name, _TITLES[name], name == "ter"
        self.by_record = name != "bleu"  # of one sentence most of its precisions are 0
        self.tokenize = tokenize or "13a"
        self._sacrebleu = _sacrebleu(name, self.tokenize)

    def notes(self, given: Answered) -> tuple[str, ...]:
        """That BLEU says nothing, where no text has as many tokens as it counts together."""
        if self.name != "bleu":
            return ()
        order, texts = self._sacrebleu.max_ngram_order, chain(given.texts(self.name), *given.references)
        if any(len(self._sacrebleu.tokenizer(text).split()) >= order for text in texts):
            return ()
        return (
            f"BLEU counts {order}-grams, and no answer and no reference has {order} tokens: it says nothing of them; look at chrF",
        )

    def statistics(self, given: Answered) -> Floats:
        """What sacrebleu counts in each record."""
        # A stream for each reference; where a record has fewer, sacrebleu takes None.
        streams = list(zip_longest(*given.references))
        return np.array(self._sacrebleu._extract_corpus_statistics(given.texts(self.name), streams), dtype=np.float64)

    def values(self, sums: Floats) -> Floats:
        """The scores that sacrebleu makes of sums (R, K)."""
        return np.array([self._sacrebleu._compute_score_from_stats(row).score for row in sums.tolist()])

    def interval(self, statistics: Floats) -> tuple[float, float]:
        """Sacrebleu's: the mean of the resamples, and half of what 95 % of them span to both sides of it."""
        random, count = np.random.default_rng(None if _seed() == "none" else int(_seed())), len(statistics)
        # drawn one after the other they are those that sacrebleu draws at once, which takes memory for 1,000 corpora
        draws = (np.bincount(random.integers(count, size=count), minlength=count) for _ in range(resampling.RESAMPLES))
        scores = np.sort(self.values(np.stack([times @ statistics for times in draws])))
        cut = len(scores) // 40
        mean, half = scores.mean(), (scores[-1 - cut] - scores[cut]) / 2
        return float(mean - half), float(mean + half)

    def p_value(self, a: Floats, b: Floats) -> float:
        """Sacrebleu's, which counts the shuffles whose difference is larger, and not those where it is as large."""
        if np.array_equal(a, b):
            return 1.0
        real = abs(self.of_statistics(a) - self.of_statistics(b))
        found = resampling.shuffled(self.values, a, b, trials=resampling.TRIALS, seed=_seed_number())
        return float((np.sum(found > real) + 1) / (len(found) + 1))

    def signature(self, given: Answered, test: Test | None = None) -> str:
        """Sacrebleu's signature; the seed of a test is 12345, or the environment's SACREBLEU_SEED."""
        told = given.references_signature().removeprefix("nrefs:")
        self._sacrebleu.num_refs = -1 if told == "var" else int(told)
        made = self._sacrebleu.get_signature()
        if test == "bootstrap":
            made.update("bs", resampling.RESAMPLES)
        elif test:
            made.update("ar", resampling.TRIALS)
        if test:
            made.update("seed", _seed())
        return str(made)


def _seed() -> str:
    seed = os.environ.get("SACREBLEU_SEED", str(resampling.SEED)).lower()
    if seed != "none" and not seed.isdecimal():
        raise RecipeError(
            f"SACREBLEU_SEED = {seed!r} in the environment is no seed: set it to a whole number, or to none"
        )
    return seed


def _seed_number() -> int | None:
    return (int(_seed()) or None) if _seed() != "none" else None  # sacrebleu takes a seed of 0 for none, too


def _sacrebleu(name: str, tokenizer: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

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
        language = tokenizer.split("-", maxsplit=1)[0]
        raise RecipeError(
            f"tokenize = {tokenizer!r} needs more than is installed: pip install 'sacrebleu[{language}]', or use 'char'"
        ) from problem
