"""What a teacher writes is learned from, is asked for once, and leaves the valid part alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_training_run import PAIRS, interrupt, recipe, snapshot

import task_models
from endash.corpora import Corpus, Record
from endash.errors import LongTextError, ModelError, RecipeError, TrainingError
from endash.model import Model
from endash.tasks import TranslationTask
from endash.training import distillation, train
from endash.training.config import DistillationConfig
from endash.training.distillation import Distilled
from endash.training.interruption import Interrupted
from endash.training.progress import Progress
from endash.training.run_folder import run_folder

SOURCES = ["one", "two", "three", "four", "five"]
CHUNK = 2


class Teacher:
    """Writes a source in capitals, nothing for what is in `silent`, and takes no text of more than 40 letters."""

    def __init__(self, *, kind: str = "transformer", silent: tuple[str, ...] = ()) -> None:
        self.task = TranslationTask(TranslationTask.Config())
        self.recipe = SimpleNamespace(decoder=SimpleNamespace(kind=kind), does=self.task)
        self.network = SimpleNamespace(to=lambda device: None)
        self.silent, self.asked, self.decoding = silent, list[str](), dict[str, Any]()

    def check(self, texts: list[str]) -> None:
        if len(texts[0]) > 40:
            raise LongTextError(0, "too long")

    def answer(self, records: list[Record], *, progress: Callable[[int], None], **decoding: Any) -> list[str]:
        texts = [record.source for record in records]
        self.asked += texts
        self.decoding = decoding
        progress(len(texts))
        return ["" if text in self.silent else text.upper() for text in texts]


class Records:
    """A corpus of `SOURCES`, or others, whose own targets are in small letters but for ``FIVE``."""

    part = "train"
    report = "train: all records kept"

    def __init__(self, *sources: str) -> None:
        self.records = [Record(one, "FIVE" if one == "five" else f"{one}!", one) for one in sources or SOURCES]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Teacher:
    teacher = Teacher()
    monkeypatch.setattr(distillation, "_CHUNK", CHUNK)
    monkeypatch.setattr(distillation.Model, "load", lambda path: teacher)
    monkeypatch.setattr(distillation.model_folder, "find", lambda path: path)
    monkeypatch.setattr(distillation.Recipe, "load", lambda path, run_plugins: teacher.recipe)
    return teacher


def distilled(folder: Path, *sources: str, **settings: Any) -> Distilled:
    config = DistillationConfig(teacher="runs/large", **settings)
    corpus: Any = Records(*sources)
    return Distilled(corpus, config, folder / "teacher", device="cpu", progress=Progress("quiet"))


def test_the_teacher_s_targets_stand_beside_the_corpus_s_own(teacher: Teacher, tmp_path: Path) -> None:
    found = [(one.source, one.target) for one in distilled(tmp_path)]
    pairs = [[(one, f"{one}!"), (one, one.upper())] for one in SOURCES[:-1]]
    assert found == [*(pair for both in pairs for pair in both), ("five", "FIVE")], "what is equal is learned once"
    assert teacher.decoding == {"search": "beam", "beam": 5, "n_best": 1}


def test_or_in_their_place(teacher: Teacher, tmp_path: Path) -> None:
    found = list(distilled(tmp_path, targets="teacher", beam=2))
    assert [(one.source, one.target, one.where) for one in found] == [(one, one.upper(), one) for one in SOURCES]
    assert teacher.decoding["beam"] == 2


@pytest.mark.parametrize("targets", ["both", "teacher"])
def test_of_a_source_with_several_targets_the_teacher_s_is_one_more_or_the_only_one(
    targets: str, teacher: Teacher, tmp_path: Path
) -> None:
    records = distilled(tmp_path, targets=targets)
    own: Any = records.corpus
    own.records = [Record(one, f"{one}!", targets=(f"{one}!", other)) for one, other in (("one", "1"), ("two", "TWO"))]
    found = [one.references for one in records]
    assert found == ([("one!", "1"), ("ONE",), ("two!", "TWO")] if targets == "both" else [("ONE",), ("TWO",)])


def test_it_is_asked_once(teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(distilled(tmp_path))
    gone = ModelError("gone")

    def load(path: object) -> Any:
        raise gone

    monkeypatch.setattr(distillation.Model, "load", load)
    monkeypatch.setattr(distillation.model_folder, "find", load)
    assert list(distilled(tmp_path)) == first
    assert teacher.asked == SOURCES


def test_interrupted_it_goes_on_with_what_is_left(teacher: Teacher, tmp_path: Path) -> None:
    drawn = iter(distilled(tmp_path, targets="teacher"))
    for _ in range(CHUNK + 1):
        next(drawn)
    del drawn
    assert teacher.asked == SOURCES[: 2 * CHUNK]
    assert len(list(distilled(tmp_path, targets="teacher"))) == len(SOURCES)
    assert teacher.asked == SOURCES


@pytest.mark.parametrize("broken", ["", "{", '{"source": "one", "target": "A"}\n', "[1, 2]\n[3, 4]\n"])
def test_a_file_that_is_of_something_else_is_made_anew(broken: str, teacher: Teacher, tmp_path: Path) -> None:
    first = list(distilled(tmp_path))
    path = tmp_path / "teacher" / "000000.jsonl"
    whole = path.read_bytes()
    path.write_text(broken, encoding="utf-8")
    assert list(distilled(tmp_path)) == first
    assert path.read_bytes() == whole
    assert teacher.asked == SOURCES + SOURCES[:CHUNK]


def test_what_it_cannot_answer_is_left_out_and_counted(teacher: Teacher, tmp_path: Path) -> None:
    teacher.silent = ("three",)
    long = "a very long source that no teacher would ever take"
    records = distilled(tmp_path, "one", long, "three", "four", targets="teacher")
    assert [one.target for one in records] == ["ONE", "FOUR"]
    assert records.report.splitlines()[1:] == ["  2 translated by the teacher", "  2 not: empty, or too long for it"]
    both = [one.target for one in distilled(tmp_path, "one", long, "three", "four")]
    assert both == ["one!", "ONE", f"{long}!", "three!", "four!", "FOUR"]


def test_a_teacher_of_dialogue_is_asked_as_its_task_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = task_models.build("dialogue")
    turns = [f"customer: {text}" for text in task_models.TEXTS]
    sources = ["\n".join(turns[:1]), "\n".join(turns * 3), "customer: " + "the door is red " * 12]
    monkeypatch.setattr(distillation.Model, "load", lambda path: model)
    monkeypatch.setattr(distillation, "_check_teacher", lambda path: None)
    monkeypatch.setattr(Distilled, "_judge", lambda self: None)  # what it writes means nothing
    records = distilled(tmp_path, *sources, targets="teacher")
    list(records)
    wanted = model.answer([Record(source, "") for source in sources[:2]], beam=5)
    [kept] = (tmp_path / "teacher").iterdir()
    assert [json.loads(line)["target"] for line in kept.read_text(encoding="utf-8").splitlines()] == [*wanted, ""]


def test_a_teacher_that_writes_nothing_ends_it_soon(teacher: Teacher, tmp_path: Path) -> None:
    teacher.silent = ("one", "three", "four")
    records = iter(distilled(tmp_path))
    with pytest.raises(TrainingError, match=r"'runs/large' wrote nothing for 3 of the first 4 sources, .* try it with"):
        list(records)
    assert teacher.asked == SOURCES[:4]


def test_a_teacher_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="runs/large: there is no such model"):
        distilled(tmp_path)


def test_a_teacher_that_beam_search_does_not_decode(teacher: Teacher, tmp_path: Path) -> None:
    teacher.recipe.decoder.kind = "mask-predict"
    with pytest.raises(
        RecipeError, match=r"decoder\.kind = 'mask-predict', which writes at once, .* name one whose decoder"
    ):
        list(distilled(tmp_path))


# A whole run, with a real teacher.


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    settings = ("training.max_epochs=8", "training.learning_rate=0.01", "training.metric=loss", "seed=9")
    return train(recipe(folder, *settings), folder / "run", progress="quiet").folder


def student(folder: Path, large: Path, *more: str) -> Any:
    folder.mkdir(exist_ok=True)
    return recipe(folder, f'distillation.teacher="{large}"', "distillation.beam=1", *more)


def about(run: Path, part: str) -> Any:
    return json.loads((run / "examples" / part / "examples.json").read_text(encoding="utf-8"))


def test_a_run_learns_from_both_and_is_validated_on_the_corpus(large: Path, tmp_path: Path) -> None:
    run = train(student(tmp_path, large, "training.max_epochs=1"), tmp_path / "run", progress="quiet").folder
    own = set(PAIRS)
    assert {(one["source"], one["target"]) for one in about(run, "valid")["about"]["records"]} <= own
    assert about(run, "valid")["about"] == about(large, "valid")["about"]
    [kept] = (run / "teacher").iterdir()
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [row["source"] for row in rows] == [one.source for one in Corpus(recipe(tmp_path).corpus, "train")]
    new = sum((row["source"], row["target"]) not in own for row in rows)
    assert new > 0
    assert about(run, "train")["examples"] == len(rows) + new
    assert f"{len(rows)} translated by the teacher" in about(run, "train")["about"]["report"]
    assert Model.load(run).shortlist is not None
    assert [row["target"] for row in rows] == Model.load(large)([row["source"] for row in rows], beam=1)


def test_interrupted_it_goes_on_to_the_same_model_without_its_teacher(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(student(tmp_path / "one", large), tmp_path / "one" / "run", progress="quiet")
    described = student(tmp_path / "two", large)
    with monkeypatch.context() as patched:
        interrupt(patched, at_step=5)
        with pytest.raises(Interrupted, match="at step 5"):
            train(described, tmp_path / "two" / "run", progress="quiet")
    monkeypatch.setattr(distillation, "_load", lambda *_: pytest.fail("the teacher was asked again"))
    again = train(described, tmp_path / "two" / "run", resume=True, progress="quiet")
    one, two = ((run.model / "model.safetensors").read_bytes() for run in (whole, again))
    assert one == two


def test_a_run_with_another_teacher_is_refused(large: Path, tmp_path: Path) -> None:
    described = student(tmp_path, large, "training.max_epochs=1")
    train(described, tmp_path / "run", progress="quiet")
    before = snapshot(tmp_path / "run")
    other = described.changed(["distillation.targets=teacher"])
    with pytest.raises(TrainingError, match=r"distillation\.targets: both in the run, teacher now"):
        train(other, tmp_path / "run", resume=True, progress="quiet")
    assert snapshot(tmp_path / "run") == before


def test_only_a_run_that_goes_on_keeps_what_a_teacher_wrote(tmp_path: Path) -> None:
    out, described = tmp_path / "run", recipe(tmp_path)
    for resume, kept in ((False, False), (True, True)):
        with run_folder(described, out, resume=False):
            (out / "teacher").mkdir()
        with run_folder(described, out, resume=resume):
            assert (out / "teacher").exists() is kept
