import json

import pytest

from endash.errors import CorpusError, ModelError
from endash.evaluation import metrics
from endash.evaluation.evaluate import check_placeholders, evaluate
from endash.evaluation.metrics import bleu

PAIRS = [("The light is on", "Das Licht ist an"), ("{name} is open", "{name} ist offen"), ("Set %s", "Setze %s")]


def test_an_evaluation_holds_the_outputs_and_their_figures():
    outputs = ["Das Licht ist an", "{name} ist auf", "Setze"]
    found = evaluate(lambda texts: outputs, PAIRS, language="de")
    assert found.hypotheses == tuple(outputs)
    assert found.sources == tuple(source for source, _ in PAIRS)
    assert found.references == tuple(reference for _, reference in PAIRS)
    assert found["bleu"] == bleu(outputs, found.references)
    assert [metric.name for metric in found.metrics] == ["bleu", "chrf", "ter"]
    assert found.seconds >= 0
    assert found.notes == ()


def test_all_sources_are_translated_in_one_call_and_in_order():
    calls = []

    def copy(texts):
        calls.append(list(texts))
        return texts

    evaluate(copy, iter(PAIRS))
    assert calls == [[source for source, _ in PAIRS]]


def test_placeholders_are_compared_with_the_sources():
    found = check_placeholders(
        ["{a} and {b}", "{a} {a}", "%s", "none", "none"],
        ["{b} und {a}", "{a}", "%d", "nichts", "{a}"],
    )
    assert (found.lines, found.kept, found.lines_with, found.kept_with) == (5, 2, 4, 1)
    assert found.share == 0.4


def test_the_figures_become_json():
    found = evaluate(lambda texts: [reference for _, reference in PAIRS], PAIRS, confidence=True)
    report = json.loads(json.dumps(found.to_json()))
    assert report["bleu"] == pytest.approx(100)
    assert report["intervals"]["chrf"] == pytest.approx([100, 100])
    assert report["signatures"]["ter"].startswith("nrefs:1|")
    assert (report["sentences"], report["placeholder_share"], report["placeholder_lines"]) == (3, 1.0, 2)
    assert evaluate(lambda texts: texts, PAIRS).to_json()["intervals"] == {}


def test_the_target_language_chooses_the_tokenizer(monkeypatch):
    monkeypatch.setattr(metrics.importlib.util, "find_spec", lambda name: None)
    found = evaluate(lambda texts: ["灯是开的"], [("The light is on", "灯是开的")], language="zh-Hans")
    assert "tok:zh" in found["bleu"].signature
    found = evaluate(lambda texts: ["明かり"], [("light", "明かり")], language="ja")
    assert "tok:char" in found["bleu"].signature
    assert "pip install 'sacrebleu[ja]'" in found.notes[0]


def test_an_empty_corpus_is_refused():
    with pytest.raises(CorpusError, match="0 pairs to evaluate"):
        evaluate(lambda texts: texts, [])


def test_a_translator_that_loses_lines_is_refused():
    with pytest.raises(ModelError, match="2 translations came back for 3 sources"):
        evaluate(lambda texts: texts[:-1], PAIRS)
