import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.significance import PairedTest

from endash.errors import CorpusError, RecipeError
from endash.evaluation import resampling, translation
from endash.evaluation.metrics import NAMES, bleu, chrf, is_lower_better, scorer, ter
from endash.evaluation.scorer import answered
from endash.evaluation.translation import check_language, tokenizer_for, tokenizer_note

REFERENCES = [
    "The cat sat on the mat near the door .",
    "A boy runs across the green field.",
    "Two dogs play, in the snow!",
    "She reads.",
]
HYPOTHESES = [
    "The cat is on the mat near the door .",
    "A boy is running across a green field.",
    "Two dogs play in snow!",
    "She reads a book.",
]


def test_the_values_are_sacrebleus():
    assert bleu(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert chrf(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    assert ter(HYPOTHESES, REFERENCES).value == sacrebleu.corpus_ter(HYPOTHESES, [REFERENCES]).score


def test_known_values_by_hand():
    # 4 of 5, 3 of 4, 2 of 3 and 1 of 2 n-grams are right: the fourth root of their product, no brevity penalty.
    assert bleu(["a b c d e"], ["a b c d f"]).value == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert ter(["a b c d e"], ["a b c d f"]).value == pytest.approx(20.0)
    assert chrf(["same"], ["same"]).value == pytest.approx(100.0)


def test_the_signature_says_how_the_figure_was_made():
    assert bleu(HYPOTHESES, REFERENCES).signature == (
        f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    )
    assert "tok:zh" in bleu(["你好"], ["你好"], tokenize="zh").signature
    assert "norm:yes" in ter(["你好"], ["你好"], tokenize="zh").signature


@pytest.mark.parametrize("metric", [bleu, chrf, ter])
def test_the_interval_is_sacrebleus_and_holds_still(metric):
    found = metric(HYPOTHESES, REFERENCES, confidence=True)
    theirs = getattr(sacrebleu.metrics, {bleu: "BLEU", chrf: "CHRF", ter: "TER"}[metric])()
    score = theirs.corpus_score(HYPOTHESES, [REFERENCES], n_bootstrap=1000)
    # they sum in float32
    assert (found.low, found.high) == pytest.approx((score._mean - score._ci, score._mean + score._ci), rel=1e-5)
    assert "bs:1000|seed:12345" in found.signature
    assert found == metric(HYPOTHESES, REFERENCES, confidence=True)
    plain = metric(HYPOTHESES, REFERENCES)
    assert (plain.low, plain.high) == (None, None)


@pytest.mark.parametrize("metric", [bleu, chrf, ter])
def test_resamples_in_which_nothing_matches_count(metric):
    found = metric(["x", "the cat is here"], ["", "the cat is here"], confidence=True)
    assert found.low < found.high


def test_chinese_is_scored_by_characters():
    hypotheses, references = ["我喜欢红色的苹果"], ["我喜欢绿色的苹果"]
    assert bleu(hypotheses, references).value < 1
    assert bleu(hypotheses, references, tokenize="zh").value > 40
    assert ter(hypotheses, references).value == 100
    assert ter(hypotheses, references, tokenize="zh").value == pytest.approx(100 / 8)


@pytest.mark.parametrize("metric", [bleu, chrf, ter])
def test_lists_that_do_not_fit_are_refused(metric):
    with pytest.raises(CorpusError, match=r"2 hypotheses for 3 references: give one hypothesis a reference"):
        metric(["a", "b"], ["a", "b", "c"])
    with pytest.raises(CorpusError, match="0 hypotheses and 0 references: a metric needs at least one"):
        metric([], [])


def test_an_empty_line_is_a_hypothesis_too():
    assert 0 < bleu([*HYPOTHESES, ""], [*REFERENCES, "Nothing."]).value < bleu(HYPOTHESES, REFERENCES).value


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        ("zh", "zh"),
        ("zh-Hans", "zh"),
        ("zh_TW", "zh"),
        ("de", "13a"),
        ("pt-BR", "13a"),
        (None, "13a"),
        ("th", "char"),
    ],
)
def test_the_tokenizer_follows_the_target_language(language, tokenizer):
    assert tokenizer_for(language) == tokenizer
    assert tokenizer_note(language) is None


@pytest.mark.parametrize("code", ["zh", "zh_CN", "DE", "pt-BR", "jpn", "tha"])
def test_known_languages_are_let_through(code):
    check_language(code)


def test_an_unknown_language_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match="'zhh' is no language code that is known: did you mean 'zh"):
        check_language("zhh")


def test_without_mecab_japanese_is_scored_by_characters_and_says_so(monkeypatch):
    monkeypatch.setattr(translation.importlib.util, "find_spec", lambda name: None)
    assert tokenizer_for("ja") == "char"
    assert tokenizer_note("ja-JP") == ("BLEU is over characters, not words: pip install 'sacrebleu[ja]' for ja-mecab")
    monkeypatch.setattr(translation.importlib.util, "find_spec", lambda name: object())
    assert tokenizer_for("ko") == "ko-mecab"
    assert tokenizer_note("ko") is None


def test_an_unknown_tokenizer_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match=r"tokenize = '13b' is unknown: did you mean '13a'\? allowed: 13a, char"):
        bleu(["a"], ["a"], tokenize="13b")
    with pytest.raises(RecipeError, match="unknown"):
        ter(["a"], ["a"], tokenize="13b")


def test_a_tokenizer_that_is_not_installed_says_what_to_install(monkeypatch):
    def missing(**_):
        raise RuntimeError("no MeCab")

    monkeypatch.setattr(sacrebleu.metrics.bleu, "BLEU", missing)
    with pytest.raises(RecipeError, match=r"pip install 'sacrebleu\[ja\]', or use 'char'"):
        bleu(["a"], ["a"], tokenize="ja-mecab")


SEVERAL = [
    ["The cat sat on the mat."],
    ["A boy runs.", "A boy is running."],
    ["Dogs!", "Two dogs play.", "They play."],
    ["She"],
]


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_a_record_may_have_several_references(name):
    metric = scorer(name)
    theirs = {"bleu": sacrebleu.metrics.BLEU(), "chrf": sacrebleu.metrics.CHRF(), "ter": sacrebleu.metrics.TER()}[name]
    streams = [[right[n] if n < len(right) else None for right in SEVERAL] for n in range(3)]
    found = metric.measure(answered(HYPOTHESES, SEVERAL))
    assert found.metric.value == theirs.corpus_score(HYPOTHESES, streams).score
    assert found.metric.signature.startswith("nrefs:var|")
    assert metric.signature(answered(["a"], [["b", "c"]])).startswith("nrefs:2|")


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_the_p_value_is_sacrebleus(name, monkeypatch):
    monkeypatch.setattr(resampling, "TRIALS", 300)
    metric = scorer(name)
    other = [*HYPOTHESES[:2], "Dogs play in the snow.", "She is reading."]
    theirs = {"bleu": sacrebleu.metrics.BLEU(), "chrf": sacrebleu.metrics.CHRF(), "ter": sacrebleu.metrics.TER()}
    test = PairedTest(
        [("a", HYPOTHESES), ("b", other)], {name: theirs[name]}, [REFERENCES], test_type="ar", n_samples=300
    )
    signatures, scores = test()
    (key,) = signatures
    a, b = (metric.statistics(answered(hypotheses, REFERENCES)) for hypotheses in (HYPOTHESES, other))
    assert metric.p_value(a, b) == scores[key][1].p_value
    assert metric.signature(answered(HYPOTHESES, REFERENCES), "randomisation") == str(signatures[key])


@pytest.mark.parametrize("seed", ["7", "0", "none"])
def test_sacrebleus_seed_is_kept_to(seed, monkeypatch):
    monkeypatch.setattr(resampling, "TRIALS", 50)
    monkeypatch.setenv("SACREBLEU_SEED", seed)
    metric, given = scorer("chrf"), answered(HYPOTHESES, REFERENCES)
    assert f"ar:50|seed:{seed}" in metric.signature(given, "randomisation")
    assert 0 < metric.p_value(metric.statistics(given), metric.statistics(answered(REFERENCES, REFERENCES))) <= 1


def test_a_seed_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "twelve")
    with pytest.raises(RecipeError, match="SACREBLEU_SEED = 'twelve' in the environment is no seed"):
        bleu(["a b"], ["a b"], confidence=True)


def test_every_name_makes_a_metric_of_that_name():
    for name in NAMES:
        made = scorer(name, language="zh")
        assert (made.name, bool(made.lower)) == (name, is_lower_better(name))
        assert made.title
    assert [name for name in NAMES if is_lower_better(name)] == ["ter", "wer", "cer", "perplexity", "ser", "nll"]


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match=r"metric 'macro-f1' is unknown: did you mean 'macro_f1'\?"):
        scorer("macro-f1")


TEXTS = st.lists(st.text("abc .", max_size=12), min_size=2, max_size=5)


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter", "wer", "cer", "rouge-1", "rouge-2", "rouge-l"])
@settings(deadline=None)
@given(answers=TEXTS, references=TEXTS)
def test_statistics_of_records_add_up(name, answers, references):
    """What the metric says of all records is what it says of the sum of each one's statistics, measured alone."""
    size = min(len(answers), len(references))
    answers, references = answers[:size], references[:size]
    metric = scorer(name)
    alone = [metric.statistics(answered([a], [b])) for a, b in zip(answers, references, strict=True)]
    assert np.array_equal(np.concatenate(alone), metric.statistics(answered(answers, references)))
    assert metric.of_statistics(np.concatenate(alone)) == metric.value(answered(answers, references))
