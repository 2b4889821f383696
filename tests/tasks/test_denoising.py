"""The task `denoising`: from plain text to a model that another training begins with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from made import ENCODER, HALVES, SAYINGS, TRAINING, tsv

from endash.corpora import Corpus, Record
from endash.errors import ModelError, RecipeError
from endash.measuring import measure
from endash.model import Model
from endash.objectives.noise import noises
from endash.recipe import Recipe
from endash.text import EOS
from endash.training import train
from endash.training.noised import Noised
from endash.training.preparation import prepare

RECIPE = f"""
name = "plain"
task = {{ kind = "denoising" }}
corpus = {{ train = {{ kind = "plain", path = "plain.txt" }}, split = {{ valid = 0.2 }} }}
text = {{ size = 400 }}
{ENCODER}
{HALVES}
{TRAINING}
"""


@pytest.fixture(autouse=True)
def plain() -> None:
    Path("plain.txt").write_text("\n".join(SAYINGS), encoding="utf-8")


def recipe(*changes: str) -> Recipe:
    return Recipe.parse(RECIPE, changes)


def prepared(*changes: str) -> tuple[Recipe, Noised, list[str]]:
    told: list[str] = []
    made = prepare(recipe(*changes), Path("run"), say=told.append)
    assert isinstance(made.train, Noised)
    assert isinstance(made.valid, Noised)
    return recipe(*changes), made.train, told


def test_by_default_spans_are_left_out() -> None:
    made, examples, _ = prepared()
    assert made.task == noises_task("span-corruption")
    assert made.training.metric == "loss"
    codec = made.does.vocabulary(lambda: [Record(text, "") for text in SAYINGS], made.text)
    assert all(codec.target.slots and one.target[0] in codec.slot_ids(["x"] * 32) for one in examples)
    assert all(one.source[-1] == one.target[-1] == EOS for one in examples)


def noises_task(kind: str) -> object:
    return recipe(f'task={{ kind = "denoising", noise = {{ kind = "{kind}" }} }}').task


@pytest.mark.parametrize("kind", sorted(noises))
def test_each_noise_trains_and_its_recipe_is_kept(kind: str) -> None:
    more = ', noises = [{ kind = "causal" }, { kind = "masked" }], shares = [1, 2]' if kind == "mixture" else ""
    made = recipe(f'task={{ kind = "denoising", noise = {{ kind = "{kind}"{more} }} }}', "training.max_steps=4")
    assert Recipe.parse(made.to_toml()) == made
    run = train(made, "run", progress="quiet")
    assert run.valid["loss"] > 0
    assert Model.load("run").shortlist is None, "what is left out of a source cannot be told from it"


def test_texts_alone_are_stored() -> None:
    _, examples, _ = prepared()
    assert len(examples) == len(list(Corpus(recipe().corpus, "train")))
    assert not np.asarray(examples.texts.lengths[:, 1]).any()


def test_less_noise_than_asked_for_is_told_with_its_count() -> None:
    Path("plain.txt").write_text("\n".join([*SAYINGS, "One. Two. Three."]), encoding="utf-8")
    _, _, told = prepared('task={ kind = "denoising", noise = { kind = "permutation" } }')
    reason = " of one sentence: there is no other order"
    counts = [int(line.removesuffix(reason)) for line in "\n".join(told).splitlines() if line.endswith(reason)]
    assert len(counts) == 2, "of the train and of the valid part"
    assert sum(counts) == len(SAYINGS)


def test_a_text_too_long_is_left_out_and_counted() -> None:
    Path("plain.txt").write_text("\n".join([*SAYINGS, "the door " * 40]), encoding="utf-8")
    _, _, told = prepared("text.max_length=32")
    assert "  1 too long as source" in "\n".join(told).splitlines()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("text.joint=false", "reads and writes the same texts: set text.joint = true"),
        (
            "text.placeholders=false",
            "noise 'span-corruption' puts placeholders' slots .*: set text.placeholders = true",
        ),
        ("retrieval={ passages = 1 }", r"\[retrieval\] is for pairs: leave it out"),
        ("head.ctc=0.3", "head.ctc is for pairs: leave it out"),
        ('distillation={ teacher = "x" }', r"\[distillation\] is for pairs: leave it out"),
        ("training.metric=bleu", "training.metric = 'bleu' is unknown: allowed: loss"),
        (
            'task={ kind = "denoising", noise = { kind = "infiling" } }',
            'task.noise.kind: "infiling" is unknown: did you mean',
        ),
        (
            'task={ kind = "denoising", noise = { kind = "masked", rat = 0.1 } }',
            "unknown key of kind 'masked'; did you mean 'rate'",
        ),
        (
            'task={ kind = "denoising", noise = { kind = "mixture", noises = [{ kind = "masked", rat = 0.1 }] } }',
            "unknown key of kind 'masked'; did you mean 'rate'",
        ),
        ('task={ kind = "denoising", noise = { kind = "masked", rate = 1.5 } }', "less than 1"),
        ('task={ kind = "denoising", noise = { kind = "mixture", noises = [] } }', "at least 1"),
    ],
)
def test_what_does_not_go_with_it_is_refused(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(change)


def test_it_is_not_evaluated_by_answers() -> None:
    model = Model.load(train(recipe("training.max_steps=2"), "run", progress="quiet").model)
    with pytest.raises(ModelError, match=r"task\.kind = 'denoising' is judged by its loss alone"):
        measure(model, [Record("a", "a")])


def test_a_translation_begins_with_what_it_learned() -> None:
    tsv(Path("pairs.tsv"), "en\tde", [(one.upper(), one) for one in SAYINGS])
    train(recipe(), "pre", progress="quiet")
    begun = recipe(
        'task={ kind = "translation" }',
        'corpus.train={ kind = "tsv", path = "pairs.tsv", source = "en", target = "de" }',
        'trained={ encoder = "pre", decoder = "pre" }',
        "training.learning_rate=1e-12",
        "training.weight_decay=0",
        "training.max_steps=1",
    )
    old, new = Model.load("pre"), Model.load(train(begun, "tuned", progress="quiet").model)
    assert old.codec.fingerprint() == new.codec.fingerprint()
    for name, value in old.network.state_dict().items():
        torch.testing.assert_close(new.network.state_dict()[name], value, atol=1e-6, rtol=0)


def test_it_learns_to_fill_in_what_is_left_out() -> None:
    """Five things in four colours: of a text with one of its words left out the rest tells little but which words there are."""
    noise = 'task={ kind = "denoising", noise = { kind = "infilling", rate = 0.3 } }'
    run = train(
        recipe(noise, "training.max_steps=120", "training.warmup=10", "training.learning_rate=1e-2"),
        "run",
        progress="quiet",
    )
    model = Model.load(run.model)
    assert run.valid["loss"] < 0.6
    assert model(SAYINGS[:4]) == SAYINGS[:4], "a text with nothing left out is given back"


def test_the_page_tells_every_noise_and_its_settings() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks" / "pretraining.md").read_text(encoding="utf-8")
    rows = {row[0].strip("`"): row[1] for row in re.findall(r"^\| (`[\w-]+`) \| (.*?) \|", page, flags=re.MULTILINE)}
    del rows["kind"]
    assert set(rows) == set(noises)
    for kind, told in rows.items():
        settings = {name: field for name, field in noises.config(kind).model_fields.items() if name != "kind"}
        assert [one.partition(" =")[0] for one in re.findall(r"`([^`]*)`", told)] == list(settings)
        for name, field in settings.items():
            assert kind == "mixture" or f"`{name} = {field.default}`" in told


def test_the_recipes_of_the_page_go_together() -> None:
    """One begins with the other, so they agree in all that the first gives."""
    folder = Path(__file__).parents[2] / "recipes"
    first, second = (Recipe.load(folder / f"{name}.toml") for name in ("denoise-de", "localisation-2000"))
    assert first.encoder.model_copy(update={"dropout": 0.3}) == second.encoder
    assert first.decoder.model_copy(update={"dropout": 0.3}) == second.decoder
    assert (first.link, first.head, first.text) == (second.link, second.head, second.text)
