"""A task of one's own: what it makes of a source, and how it is refused."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from endash.config import Config as Settings
from endash.corpora import Record
from endash.errors import CorpusError, RecipeError
from endash.model import Model
from endash.tasks import LabelTask, Task, tasks
from task_models import build, recipe


class Asking(Task):
    """A text with a word before it."""

    class Config(Settings):
        kind: Literal["asking"] = "asking"

    given: Any = None

    def sources(self, record: Record) -> tuple[str, ...]:
        return self.given or (f"red {record.source}",)


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model whose task makes another text of what it is given."""
    monkeypatch.setitem(tasks._classes, "asking", Asking)
    model = build("generation", "task={ kind = 'asking' }", "decoding.max_extra=20")
    assert isinstance(model, Model)
    return model


@pytest.mark.parametrize("core", [True, False])
def test_a_source_is_made_once_whatever_the_path(asking: Model, core: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not core:
        monkeypatch.setattr(type(asking.path), "reads_sources", lambda *_: False)
    read = asking.read(["door"])[0]
    assert (read.text, read.source) == ("red door", asking.codec.encode_source("red door").tokens)
    assert [asking("door")] == [found[0].text for found in asking.translate(["red door"])]
    plain = Model(recipe("generation", "decoding.max_extra=20"), asking.codec, asking.network)
    [[told]], [[wanted]] = asking.translate(["red door"]), plain.translate(["red door"])
    assert (told.text, told.score) == (wanted.text, pytest.approx(wanted.score))
    assert asking.score(["door"], ["lamp"]) == pytest.approx(plain.score(["red door"], ["lamp"]))
    assert asking.decode(asking.encode(["door"])) == plain.decode(plain.encode(["red door"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("red door", "`sources` of Asking gives 'red door': let it give a tuple of texts"),
        ((None,), r"`sources` of Asking gives \(None,\): let it give a tuple of texts"),
    ],
)
def test_what_is_no_tuple_of_texts_is_told_to_who_writes_a_task(
    given: Any, message: str, asking: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asking, "given", given)
    with pytest.raises(CorpusError, match=message):
        asking.task.vocabulary(lambda: [Record("door", "lamp")], asking.recipe.text)


def test_a_task_joins_as_many_texts_as_it_says(asking: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "given", ("red", "door"))
    with pytest.raises(
        CorpusError, match="1 text to join to a source, and a task with joins = 0: let `sources` give 1"
    ):
        asking.read(["door"])
    monkeypatch.setattr(Asking, "sources", lambda *_: ())
    with pytest.raises(CorpusError, match=r"`sources` of Asking gives no text of x\.tsv:3: let `fault` refuse it"):
        asking.task.vocabulary(lambda: [Record("door", "lamp", "x.tsv:3")], asking.recipe.text)


@pytest.mark.parametrize(
    ("base", "held", "message"),
    [
        (Task, {"metrics": ("blue",)}, r"Wrong.metrics: 'blue' is unknown: did you mean 'bleu'\?"),
        (LabelTask, {}, "Wrong has no divided: write it, or begin from a task that has it"),
        (Task, {"writes": "label"}, "Wrong.writes = 'label' and it is no LabelTask: begin from one"),
        (Task, {"Config": Settings}, r"Wrong.Config.kind needs a default, such as kind: Literal"),
    ],
)
def test_a_task_that_could_not_be_trained_is_refused_when_it_is_registered(
    base: type[Task], held: dict[str, Any], message: str
) -> None:
    class Named(Settings):
        kind: Literal["wrong"] = "wrong"

    with pytest.raises(RecipeError, match=message):
        tasks.register(type("Wrong", (base,), {"Config": Named, **held}))
    assert "wrong" not in list(tasks)
