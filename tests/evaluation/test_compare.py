import json
import random

import numpy as np
import pytest
import sacrebleu
from sacrebleu.significance import PairedTest

from endash.errors import CorpusError
from endash.evaluation.compare import Difference, compare
from endash.evaluation.evaluate import evaluate
from endash.evaluation.metrics import TRANSLATION
from endash.evaluation.page import page
from endash.evaluation.report import comparison_table, evaluation_table, heading, verdict
from endash.evaluation.scorer import Metric

WORDS = ["the", "boy", "girl", "dog", "cat", "runs", "sits", "reads", "on", "near", "green", "red", "old", "field"]


def corpus(*, noise, seed):
    """Sixty random sentences and a copy of each in which a share `noise` of the words is replaced."""
    draw = random.Random(7)
    references = [" ".join(draw.choices(WORDS, k=9)) for _ in range(60)]
    break_ = random.Random(seed)
    return references, [
        " ".join(break_.choice(WORDS) if break_.random() < noise else word for word in line.split())
        for line in references
    ]


def measured(answers, references, metrics=TRANSLATION, **given):
    return evaluate(answers, references, metrics=metrics, **given)


@pytest.fixture
def fewer_trials(monkeypatch):
    monkeypatch.setattr("endash.evaluation.resampling.TRIALS", 1000)


def test_a_clear_difference_is_found():
    references, worse = corpus(noise=0.5, seed=1)
    _, good = corpus(noise=0.1, seed=2)
    found = compare(measured(worse, references), measured(good, references))
    assert [row.a.name for row in found.differences] == ["bleu", "chrf", "ter"]
    assert all(row.better == "b" and row.p < 0.01 for row in found.differences)
    assert found.differences[0].difference > 10
    assert found.differences[2].difference < 0
    assert found.records == 60
    assert "ar:10000|seed:12345" in found.differences[0].signature
    figures = json.loads(json.dumps(found.to_json()))
    assert (figures["bleu"]["better"], figures["records"]) == ("b", 60)
    assert figures["ter"]["difference"] == found.differences[2].difference


@pytest.mark.usefixtures("fewer_trials")
def test_equal_systems_cannot_be_told_apart():
    references, one = corpus(noise=0.3, seed=1)
    _, other = corpus(noise=0.3, seed=2)
    one, other = measured(one, references), measured(other, references)
    found = compare(one, other)
    assert all(row.better is None for row in found.differences)
    assert found == compare(one, other), "the same input gives the same p"


@pytest.mark.usefixtures("fewer_trials")
def test_a_system_is_no_better_than_itself():
    references, one = corpus(noise=0.3, seed=1)
    found = compare(measured(one, references), measured(one, references))
    assert all(row.better is None and row.difference == 0 and row.p == 1 for row in found.differences)


@pytest.mark.usefixtures("fewer_trials")
def test_the_p_values_are_sacrebleus():
    references, one = corpus(noise=0.3, seed=1)
    _, other = corpus(noise=0.25, seed=2)
    metrics = {"bleu": sacrebleu.BLEU(), "chrf": sacrebleu.CHRF(), "ter": sacrebleu.TER()}
    _, theirs = PairedTest([("a", one), ("b", other)], metrics, [references], test_type="ar", n_samples=1000)()
    found = compare(measured(one, references), measured(other, references))
    assert [row.p for row in found.differences] == [
        scores[1].p_value for name, scores in theirs.items() if name != "System"
    ]


def difference(a, b, p, *, lower=False):
    return Difference(Metric("it", a, "", lower=lower), Metric("it", b, "", lower=lower), p, "")


def test_a_lower_error_rate_is_the_better_one():
    assert difference(50.0, 40.0, 0.01, lower=True).better == "b"
    assert difference(50.0, 40.0, 0.01).better == "a"
    assert difference(50.0, 40.0, 0.05).better is None
    assert difference(50.0, 40.0, None).better is None


def test_systems_that_were_not_measured_alike_are_refused():
    one = measured(["a", "b"], ["a", "b"])
    with pytest.raises(CorpusError, match="the two systems answered different records"):
        compare(one, measured(["a", "b"], ["a", "c"]))
    with pytest.raises(CorpusError, match="system a is measured by bleu, chrf, ter and system b by wer"):
        compare(one, measured(["a", "b"], ["a", "b"], ["wer"]))


def test_labels_are_compared_even_where_one_system_knows_other_ones():
    gold = ["yes", "no"] * 40
    good = measured(["yes", "no"] * 36 + ["no", "yes"] * 4, gold, ["accuracy", "macro_f1"])
    other = measured(["yes", "who"] * 40, gold, ["accuracy", "macro_f1"])
    found = compare(good, other)
    assert all(row.better == "a" and row.p < 0.01 for row in found.differences)
    assert found.differences[1].b.value == pytest.approx((1 + 0 + 0) / 3)
    assert [row.p for row in compare(other, good).differences] == [row.p for row in found.differences]
    json.dumps(found.to_json())


def test_equal_label_systems_have_a_p_of_one():
    gold = ["yes", "no"] * 10
    one = measured(["yes", "yes"] * 10, gold, ["accuracy"])
    assert compare(one, measured(["no", "no"] * 10, gold, ["accuracy"])).differences[0].p == 1.0


@pytest.mark.usefixtures("fewer_trials")
def test_what_does_not_add_up_has_no_p():
    one, other = (measured(texts, ["x", "y"], ["distinct-1", "wer"]) for texts in (["a b", "c d"], ["a", "a"]))
    distinct, wer = compare(one, other).differences
    assert (distinct.p, distinct.better, distinct.difference) == (None, None, -0.5)
    assert wer.signature.startswith("wer|nrefs:1|")
    assert "ar:1000|seed:12345" in wer.signature
    assert distinct.signature.startswith("distinct-1|answers:2|")


def cells(table):
    return " ".join(cell for column in table.columns for cell in column.cells)


@pytest.mark.usefixtures("fewer_trials")
def test_perplexities_of_other_tokens_do_not_compare():
    def of(*losses):
        return evaluate(["x"] * 40, ["x"] * 40, metrics=["perplexity"], losses=losses * 20)

    one, other, finer = of((1.0, 2), (3.0, 4)), of((2.0, 2), (6.0, 4)), of((2.0, 3), (6.0, 5))
    assert compare(one, other).differences[0].better == "a"
    found = compare(one, finer)
    assert (found.differences[0].p, found.differences[0].better) == (None, None)
    assert found.notes == (
        "perplexity is that of a token, and the same texts are 120 and 160 tokens of the two models: it does not tell which is better",
    )
    assert found.to_json()["notes"] == list(found.notes)
    assert "bold" in cells(evaluation_table({"one": one, "other": other}))
    assert "bold" not in cells(evaluation_table({"one": one, "finer": finer}))
    assert "120 and 160 tokens" in comparison_table(found).caption
    assert "120 and 160 tokens" in page({"one": one, "finer": finer}, title="it", comparison=found)


@pytest.mark.usefixtures("fewer_trials")
def test_neither_side_of_the_kl_is_the_better():
    latents = [np.full((30, 2, 4), kl) + np.linspace(0, 0.1, 30)[:, None, None] for kl in (1.0, 2.0)]
    systems = [evaluate(["x"] * 30, ["x"] * 30, metrics=["kl"], latents=one) for one in latents]
    found = compare(*systems)
    assert found.differences[0].p < 0.05
    assert found.differences[0].better is None
    assert "bold" not in cells(evaluation_table({"one": systems[0], "other": systems[1]}))
    assert heading(systems[0]["kl"]) == "KL, nats"
    assert verdict(found.differences[0], "a", "b") == "–"
