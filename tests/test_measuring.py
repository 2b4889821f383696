"""measure: a model on records of several families."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from endash.corpora import Record
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


def test_each_family_is_counted_by_the_tokenizer_of_its_own_language():
    chinese = [Record(f"name[{text}]", "你好世界再见", family="zh") for text in TEXTS]
    english = [Record(f"name[{text}]", text, family="en") for text in TEXTS]
    found = measure(build("generation"), [*english, *chinese], confidence=False).families
    assert {name: one["bleu"].signature.split("tok:")[1][:2] for name, one in found.items()} == {"en": "13", "zh": "zh"}


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
