"""measure: a model on records of several families."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from endash.corpora import Record
from endash.errors import CorpusError, TextError
from endash.evaluation.report import evaluation_table
from endash.latent import bound
from endash.measuring import judge, measure
from endash.model import Model
from endash.recipe import Recipe
from task_models import TEXTS, build


def test_each_family_is_measured_by_its_own_records():
    model = build("generation")
    records = [
        Record(f"name[{text}]", text, family=family)
        for family, texts in {"long": TEXTS[:3], "short": TEXTS[3:]}.items()
        for text in texts
    ]
    found = measure(model, records, confidence=False)
    assert {name: len(one.given) for name, one in found.families.items()} == {"long": 3, "short": 1}
    assert found.answers == (*found.families["long"].answers, *found.families["short"].answers)
    alone = measure(model, records[:3], confidence=False)
    assert not alone.families
    assert alone.metrics == found.families["long"].metrics
    assert found.to_json()["families"]["short"]["records"] == 1
    assert found.seconds > 0
    assert [one.seconds for one in found.families.values()] == [0.0, 0.0]
    heads = [str(column.header) for column in evaluation_table(found.families, title="it").columns]
    assert heads[0] == "it"
    assert not any(head.endswith("/s") for head in heads)


def test_each_family_is_counted_by_the_tokenizer_of_its_own_language():
    chinese = [Record(f"name[{text}]", "你好世界再见", family="zh") for text in TEXTS]
    english = [Record(f"name[{text}]", text, family="en") for text in TEXTS]
    whole = measure(build("generation"), [*english, *chinese], confidence=False)
    tokenizers = {name: one["bleu"].signature.split("tok:")[1][:2] for name, one in whole.families.items()}
    assert tokenizers == {"en": "13", "zh": "zh"}
    told = "BLEU of all records together cuts every text by 13a, that of families by 13a, zh: go by the families"
    assert told in whole.notes
    german = [replace(record, family="de") for record in english]
    assert not measure(build("generation"), [*english, *german], confidence=False).notes


def test_labels_are_measured_with_their_probability_and_every_record_with_its_place() -> None:
    model = build("tagging")
    records = [
        Record(text, "", where=f"it:{line}", sources=tuple(text.split()), targets=("O",) * len(text.split()))
        for line, text in enumerate(TEXTS)
    ]
    given = measure(model, records, confidence=False).given
    found = model.predict(records)
    assert given.answers == tuple(tuple(word[0].label for word in one) for one in found)
    assert given.where == tuple(record.where for record in records)
    for probabilities, one in zip(given.probabilities, found, strict=True):
        assert probabilities == pytest.approx([word[0].probability for word in one])


def test_what_has_no_name_is_called_other():
    records = [Record("name[a]", "a lamp", family="named"), Record("name[b]", "the roof")]
    assert list(measure(build("generation"), records, confidence=False).families) == ["named", "other"]
    unnamed = [replace(record, family="") for record in records]
    assert not measure(build("generation"), unnamed, confidence=False).families


def test_a_latent_vector_is_measured_by_its_bound_and_its_units():
    recipe = Recipe.parse("""
        name = "tiny"
        task = { kind = "reconstruction" }
        corpus = { train = { kind = "plain", path = "given.txt" } }
        text = { size = 340, placeholders = false, max_length = 24 }
        encoder = { kind = "variational", width = 4, encoder = { kind = "gru", width = 16, layers = 1 } }
        link = { kind = "latent" }
        decoder = { kind = "gru", width = 16, layers = 1 }
        decoding = { beam = 1, max_ratio = 0.0, max_extra = 4 }
    """)
    records = [Record(text, text) for text in TEXTS]
    torch.manual_seed(0)
    model = Model.build(recipe, recipe.does.vocabulary(lambda: iter(records), recipe.text))
    found = measure(model, records)
    of_texts = bound(model, TEXTS)
    assert [metric.name for metric in found.metrics] == ["bleu", "nll", "kl", "units", "chrf"]
    assert found["nll"].value == pytest.approx(float(of_texts.nll.mean()))
    assert found["kl"].value == pytest.approx(float(of_texts.kl.sum(1).mean()))
    judged = judge(model.task, records, list(TEXTS))
    assert [metric.name for metric in judged.metrics] == ["bleu", "chrf"]
    with pytest.raises(TextError, match="text 2 is blank"):  # before anything is answered
        measure(model, [records[0], Record(" ", " ")], progress=lambda _: pytest.fail("answered"))


LONG = " ".join(TEXTS * 8)


def test_what_is_longer_than_the_model_takes_is_left_out_and_told() -> None:
    records = [Record(text, text) for text in (TEXTS[0], LONG, *TEXTS[1:])]
    found = measure(build("generation"), records, confidence=False)
    assert found.given.sources == TEXTS
    told = "1 of 5 records are longer than a model takes, and are left out, first "
    assert found.notes[-1] == told + repr(LONG[:40])
    assert measure(build("generation"), [records[0]], confidence=False).notes == ()
    with pytest.raises(CorpusError, match=r"each of the 1 records is longer than .* text.max_length = 40 tokens"):
        measure(build("generation"), records[1:2])


def test_two_models_are_measured_on_what_both_can_read() -> None:
    one, other = build("generation"), build("generation", "text.max_length=400")
    middle = " ".join(TEXTS * 2)
    records = [Record(text, text) for text in (TEXTS[0], middle)]
    assert len(measure(other, records, confidence=False).given) == 2
    assert measure(other, records, beside=[one], confidence=False).given.sources == TEXTS[:1]
    assert measure(one, records, beside=[other], confidence=False).given.sources == TEXTS[:1]


@pytest.mark.parametrize(
    ("kind", "kept"), [("inference", 1), ("classification", 2), ("tagging", 2), ("translation", 2), ("dialogue", 2)]
)
def test_what_is_read_in_parts_or_shortened_is_not_too_long(kind: str, kept: int) -> None:
    model = build("generation", "task={kind='translation'}") if kind == "translation" else build(kind)
    long = LONG.replace(" the", ".\nThe")
    tags = {"tagging": lambda text: ("O",) * len(text.split())}.get(kind, lambda text: ())
    parts = {"tagging": str.split, "inference": lambda text: [text, text]}.get(kind, lambda text: [])
    records = [Record(text, "yes", sources=tuple(parts(text)), targets=tags(text)) for text in (TEXTS[0], long)]
    assert len(measure(model, records, confidence=False).given) == kept


def test_slots_are_counted_where_each_source_is_read_as_such() -> None:
    model = build("generation")
    for sources, counted in ((("name[A], area[B]",) * 2, True), (("name[A]", "name[A], name[B]"), False)):
        records = [Record(source, text) for source, text in zip(sources, TEXTS, strict=False)]
        found = judge(model.task, records, TEXTS[:2], confidence=False)
        assert ("ser" in [metric.name for metric in found.metrics]) == counted
