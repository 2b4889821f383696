"""Every registered task, from its recipe to a saved model and back, on a corpus of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from made import MADE

from endash import load
from endash.corpora import Corpus, Record
from endash.errors import EndashError
from endash.evaluation.metrics import of_answers
from endash.label_model import LabelModel
from endash.model import Model
from endash.recipe import Recipe
from endash.tasks import tasks
from endash.training import train
from endash.training.journal import read


@dataclass
class Trained:
    recipe: Recipe
    model: Model | LabelModel
    records: list[Record]
    run: Any


@pytest.fixture(scope="module", params=sorted(tasks))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp(request.param)
    recipe = Recipe.parse(MADE[request.param](folder), folder=folder)
    run = train(recipe, folder / "run", progress="quiet")
    records = list(Corpus(recipe.corpus, "valid", fault=recipe.does.fault))
    return Trained(recipe, load(run.folder), records, run)


def test_a_saved_model_answers_as_before_in_whatever_company(trained: Trained, tmp_path: Path) -> None:
    answers = trained.model.answer(trained.records)
    assert len(answers) == len(trained.records) > 2
    trained.model.save(tmp_path / "again")
    assert load(tmp_path / "again").answer(trained.records) == answers
    assert trained.model.answer(trained.records[:1]) == answers[:1]
    assert trained.model.answer(trained.records[::-1]) == answers[::-1]
    assert trained.model.answer([]) == []


def test_its_resolved_recipe_is_the_same_recipe(trained: Trained) -> None:
    again = Recipe.parse(trained.recipe.to_toml())
    assert again == trained.recipe
    assert (again.link is None) == isinstance(trained.model, LabelModel)


def test_the_metric_of_training_is_what_is_measured_of_the_model(trained: Trained) -> None:
    metric = trained.recipe.training.metric
    assert metric == next(iter(type(trained.recipe.does).metrics), "loss")
    if metric == "loss":
        assert trained.run.valid["loss"] > 0
        return
    answers = trained.model.answer(trained.records, **({"beam": 1} if isinstance(trained.model, Model) else {}))
    value = trained.model.task.value(metric, answers, trained.records)
    assert trained.run.valid[metric] == pytest.approx(value)
    assert read(trained.run.metrics)


def test_every_metric_can_be_taken(trained: Trained) -> None:
    answers = trained.model.answer(trained.records)
    for metric in trained.model.task.metrics:
        if of_answers(metric):
            assert trained.model.task.value(metric, answers, trained.records) >= 0


def test_a_recipe_of_parts_that_are_not_the_tasks_is_refused(trained: Trained) -> None:
    change = 'decoder={kind="lstm"}' if isinstance(trained.model, LabelModel) else "training.metric=entity_f1"
    with pytest.raises(EndashError, match=r"leave \[decoder\] out|metric"):
        trained.recipe.changed([change])
