import json

import pytest

from endash.errors import CorpusError, ModelError
from endash.evaluation import translation
from endash.evaluation.evaluate import check_placeholders, evaluate, evaluate_translator
from endash.evaluation.metrics import bleu

PAIRS = [("The light is on", "Das Licht ist an"), ("{name} is open", "{name} ist offen"), ("Set %s", "Setze %s")]


def test_an_evaluation_holds_the_outputs_and_their_figures():
    outputs = ["Das Licht ist an", "{name} ist auf", "Setze"]
    found = evaluate_translator(lambda texts: outputs, PAIRS, language="de")
    assert found.answers == tuple(outputs)
    assert found.given.sources == tuple(source for source, _ in PAIRS)
    assert found.given.references == tuple((reference,) for _, reference in PAIRS)
    assert found["bleu"] == bleu(outputs, [reference for _, reference in PAIRS])
    assert [metric.name for metric in found.metrics] == ["bleu", "chrf", "ter"]
    assert found.seconds >= 0
    assert found.notes == ()


def test_all_sources_are_translated_in_one_call_and_in_order():
    calls = []

    def copy(texts):
        calls.append(list(texts))
        return texts

    evaluate_translator(copy, iter(PAIRS))
    assert calls == [[source for source, _ in PAIRS]]


def test_placeholders_are_compared_with_the_sources():
    found = check_placeholders(
        ["{a} and {b}", "{a} {a}", "%s", "none", "none"],
        ["{b} und {a}", "{a}", "%d", "nichts", "{a}"],
    )
    assert (found.lines, found.kept, found.lines_with, found.kept_with) == (5, 2, 4, 1)
    assert found.share == 0.25
    assert check_placeholders(["none"], ["nichts"]).share is None


def test_the_figures_become_json():
    found = evaluate_translator(lambda texts: [reference for _, reference in PAIRS], PAIRS, confidence=True)
    report = json.loads(json.dumps(found.to_json()))
    assert report["bleu"] == pytest.approx(100)
    assert report["intervals"]["chrf"] == pytest.approx([100, 100])
    assert report["signatures"]["ter"].startswith("nrefs:1|")
    assert (report["sentences"], report["placeholder_share"], report["placeholder_lines"]) == (3, 1.0, 2)
    assert evaluate_translator(lambda texts: texts, PAIRS).to_json()["intervals"] == {}


def test_the_target_language_chooses_the_tokenizer(monkeypatch):
    monkeypatch.setattr(translation.importlib.util, "find_spec", lambda name: None)
    found = evaluate_translator(lambda texts: ["灯是开的"], [("The light is on", "灯是开的")], language="zh-Hans")
    assert "tok:zh" in found["bleu"].signature
    found = evaluate_translator(lambda texts: ["明かり"], [("light", "明かり")], language="ja")
    assert "tok:char" in found["bleu"].signature
    assert "pip install 'sacrebleu[ja]'" in found.notes[0]


def test_an_empty_corpus_is_refused():
    with pytest.raises(CorpusError, match="0 pairs to evaluate"):
        evaluate_translator(lambda texts: texts, [])


def test_a_translator_that_loses_lines_is_refused():
    with pytest.raises(ModelError, match="2 translations came back for 3 sources"):
        evaluate_translator(lambda texts: texts[:-1], PAIRS)


GOLD = ["yes", "no", "no", "maybe"]


def test_labels_have_a_table_and_a_confusion_matrix():
    found = evaluate(["yes", "no", "yes", "no"], GOLD, metrics=["accuracy", "macro_f1"], confidence=True)
    assert found["accuracy"].value == 0.5
    assert found["macro_f1"].value == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert 0 <= found["macro_f1"].low <= found["macro_f1"].value <= found["macro_f1"].high <= 1
    assert [row.label for row in found.table.rows] == ["maybe", "no", "yes"]
    assert found.confusion.counts.tolist() == [[0, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert found.notes == ("precision is given as 0 where a label was never answered: maybe",)
    assert found.placeholders is None


def test_the_figures_of_labels_become_json():
    found = evaluate(["yes", "no", "yes", "no"], GOLD, metrics=["accuracy"])
    report = json.loads(json.dumps(found.to_json()))
    assert (report["accuracy"], report["records"]) == (0.5, 4)
    assert report["labels"]["no"]["support"] == 2
    assert report["averages"]["micro"]["f1"] == 0.5
    assert report["confusion"]["labels"] == ["maybe", "no", "yes"]
    assert report.keys().isdisjoint({"sentences", "placeholder_share"})


def test_texts_have_neither():
    found = evaluate(["a b"], [["a b", "c"]], metrics=["rouge-l", "cider"])
    assert (found.table, found.confusion) == (None, None)
    assert found["rouge-l"].value == 100


def test_the_worst_answers_come_first():
    found = evaluate(["a b c", "x", "a b"], ["a b c", "a b c", "a b c"], metrics=["bleu", "rouge-1"])
    assert found.worst(5).metric.name == "rouge-1", "BLEU says little of one sentence"
    assert [row for row, _ in found.worst(5).records] == [1, 2]
    assert found.worst(1).records == ((1, 0.0),)
    errors = evaluate(["a", "x y", "a z"], ["a", "a", "a"], metrics=["wer"])
    assert errors.worst(5).records == ((1, 200.0), (2, 100.0))


def test_of_labels_the_wrong_ones_are_worst():
    found = evaluate(["yes", "no", "yes", "no"], GOLD, metrics=["macro_f1"])
    assert found.worst(5).metric.name == "accuracy"
    assert [row for row, _ in found.worst(5).records] == [2, 3]
    tags = evaluate([["O", "O"], ["O", "B-X"]], [["B-X", "B-X"], ["O", "O"]], metrics=["entity_f1"])
    assert tags.worst(5).records == ((0, 0.0), (1, 0.5))


def test_of_labels_with_probabilities_the_most_probable_wrong_ones_are_worst():
    likely = [[0.9], [0.8], [0.4], [0.7]]
    found = evaluate(["yes", "no", "yes", "no"], GOLD, metrics=["accuracy"], probabilities=likely).worst(5)
    assert (found.records, found.probable) == (((3, 0.7), (2, 0.4)), True)
    tags = [["O", "O"], ["O", "B-X"]]
    several = evaluate(tags, [["B-X", "B-X"], ["O", "O"]], metrics=["accuracy"], probabilities=[[0.5, 0.5]] * 2)
    assert several.worst(5).records == ((0, 0.0), (1, 0.5)), "a record of tags is more or less wrong"


def test_of_texts_without_4_grams_bleu_is_told_to_say_nothing():
    told = "BLEU counts 4-grams, and no answer and no reference has 4 tokens: it says nothing of them; look at chrF"
    short = evaluate(["yes", "no!"], [["yes"], ["no!", "not so"]], metrics=["bleu", "chrf"])
    assert (short["bleu"].value, short["chrf"].value, short.notes) == (0, 100, (told,))
    assert evaluate(["灯"], ["灯"], metrics=["bleu"], language="zh").notes == (told,)
    for answer, references in (("a b c d", ["a"]), ("a", ["a", "a b c."]), ("a b c.", ["a b c."])):
        assert evaluate([answer], [references], metrics=["bleu"]).notes == ()
    assert evaluate(["灯是开的"], ["灯是开的"], metrics=["bleu"], language="zh").notes == ()
    assert evaluate(["yes"], ["yes"], metrics=["chrf", "ter"]).notes == ()


def test_the_notes_of_translation_come_with_bleu_alone(monkeypatch):
    monkeypatch.setattr(translation.importlib.util, "find_spec", lambda name: None)
    assert evaluate(["明かり"], ["明かり"], metrics=["chrf"], language="ja").notes == ()
    assert "pip install" in evaluate(["明かり"], ["明かり"], metrics=["bleu"], language="ja").notes[0]
