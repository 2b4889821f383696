"""A run from its recipe to the model that comes out, with all parts real and small."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import task_models
from endash.errors import CorpusError, RecipeError, TrainingError
from endash.model import Model
from endash.recipe import Recipe
from endash.training import Run, train
from endash.training.interruption import Interrupted
from endash.training.journal import read
from endash.training.loop import Training

COLOURS = {"red": "rot", "green": "grün", "blue": "blau", "black": "schwarz", "white": "weiß", "yellow": "gelb"}
THINGS = {
    "door": "Tür",
    "lamp": "Lampe",
    "light": "Licht",
    "switch": "Schalter",
    "garden": "Garten",
    "window": "Fenster",
}
SENTENCES = [
    ("the {thing} is {colour}", "{thing} ist {colour}"),
    ("a {colour} {thing} for <b>", "{thing} in {colour} für <b>"),
    ("is %s a {thing} or {colour}?", "ist %s {thing} oder {colour}?"),
]
PAIRS = [
    (
        source.replace("{thing}", thing).replace("{colour}", colour),
        target.replace("{thing}", ding).replace("{colour}", farbe),
    )
    for source, target in SENTENCES
    for thing, ding in THINGS.items()
    for colour, farbe in COLOURS.items()
]
RECIPE = """
name = "tiny"
[corpus]
train = { kind = "tsv", path = "PATH", source = "en", target = "de" }
split = { valid = 0.2 }
[text]
size = 400
[encoder]
kind = "transformer"
width = 16
layers = 1
heads = 2
[link]
kind = "cross-attention"
heads = 2
[decoder]
kind = "transformer"
width = 16
layers = 1
heads = 2
[training]
max_epochs = 3
batch_tokens = 300
warmup = 5
average = 2
log_every = 2
"""


def recipe(folder: Path, *overrides: str) -> Recipe:
    path = folder / "pairs.tsv"
    if not path.exists():
        path.write_text("en\tde\n" + "".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    return Recipe.parse(RECIPE.replace("PATH", str(path)), overrides)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def timeless(run: Run) -> list[dict[str, Any]]:
    """The figures of a run that do not depend on how fast the machine was."""
    return [{key: row[key] for key in row if key not in ("seconds", "tokens_per_second")} for row in read(run.metrics)]


def interrupt(monkeypatch: pytest.MonkeyPatch, at_step: int) -> None:
    step = Training._step

    def interrupted(self: Training) -> None:
        step(self)
        if self.position.step == at_step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Training, "_step", interrupted)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("made")
    return folder, train(recipe(folder), folder / "run", progress="quiet")


def test_a_run_is_all_that_training_made(made: tuple[Path, Run]) -> None:
    folder, run = made
    assert run.folder == folder / "run"
    assert {path.name for path in run.folder.iterdir()} == {
        ".lock", "recipe.toml", "text", "examples", "checkpoints", "model", "metrics.jsonl", "tensorboard"
    }  # fmt: skip
    assert run.ended_by == "max_epochs = 3"
    assert run.minutes > 0
    rows = read(run.metrics)
    assert [row["kind"] for row in rows if row["kind"] != "train"] == ["valid", "valid", "valid", "final"]
    assert rows[-1]["step"] == run.steps
    assert rows[-1]["averaged"] == list(run.averaged)
    assert run.valid == {"loss": rows[-1]["loss"], "bleu": rows[-1]["bleu"]}
    assert Recipe.parse((run.folder / "recipe.toml").read_text()) == recipe(folder)


def test_a_run_is_also_a_model_with_the_score_that_was_reported(made: tuple[Path, Run]) -> None:
    _, run = made
    model = Model.load(run.folder)
    assert len(model(["the door is red", "a blue lamp for <b>"])) == 2
    records = json.loads((run.folder / "examples" / "valid" / "examples.json").read_text())["about"]["records"]
    pairs = [(one["source"], one["target"]) for one in records]
    sources, targets = zip(*pairs, strict=True)
    tokens = sum(
        len(model.codec.encode_target(target, ())) for target in targets if "<b>" not in target and "%s" not in target
    )
    plain = [(source, target) for source, target in pairs if "<b>" not in target and "%s" not in target]
    nll = -sum(model.score([source for source, _ in plain], [target for _, target in plain]))
    # The valid part's loss is over sentences with placeholders too, which are alike but not the same.
    assert nll / tokens == pytest.approx(run.valid["loss"], rel=0.2)
    assert len(sources) == len(targets)
    card = (run.model / "README.md").read_text()
    assert f"{run.steps} steps" in card
    assert f"bleu {run.valid['bleu']:.2f}" in card
    assert model.shortlist is not None
    told = re.search(r"the shortlist has (\d+) of (\d+) target tokens .* holds (\d+\.\d)% of the valid part's", card)
    assert told
    assert 0 < int(told[1]) <= int(told[2]) == model.codec.size_target
    assert 50 < float(told[3]) <= 100


def test_interrupted_and_resumed_is_the_same_model(
    made: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, run = made
    with monkeypatch.context() as patched:
        interrupt(patched, at_step=5)
        with pytest.raises(Interrupted, match="at step 5"):
            train(recipe(folder), tmp_path / "run", progress="quiet")
    again = train(recipe(folder), tmp_path / "run", resume=True, progress="quiet")
    assert (again.model / "model.safetensors").read_bytes() == (run.model / "model.safetensors").read_bytes()
    assert (again.valid, again.averaged) == (run.valid, run.averaged)
    timeless = [
        {key: row[key] for key in row if key not in ("seconds", "tokens_per_second")} for row in read(run.metrics)
    ]
    assert [
        {key: row[key] for key in row if key not in ("seconds", "tokens_per_second")} for row in read(again.metrics)
    ] == timeless


def test_resuming_reads_nothing_but_the_run(
    made: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path).corpus.train[0].path  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        interrupt(patched, at_step=5)
        with pytest.raises(Interrupted):
            train(recipe(tmp_path), tmp_path / "run", progress="quiet")
    described = recipe(tmp_path)
    Path(path).unlink()
    again = train(described, tmp_path / "run", resume=True, progress="quiet")
    assert again.valid == made[1].valid


def test_passages_of_a_translation_memory(tmp_path: Path) -> None:
    run = train(recipe(tmp_path, "retrieval.passages=2", "training.max_epochs=1"), tmp_path / "run", progress="quiet")
    model = Model.load(run.folder)
    assert model.pairs is not None
    assert model.shortlist is None
    assert len(model.translate(["the door is red"], beam=2)[0]) >= 1
    assert json.loads((run.folder / "examples" / "train" / "examples.json").read_text())["fields"] == 4


@pytest.mark.parametrize("metric", ["chrf", "loss"])
def test_other_metrics(tmp_path: Path, metric: str) -> None:
    run = train(
        recipe(tmp_path, f"training.metric={metric}", "training.max_epochs=1"), tmp_path / "run", progress="quiet"
    )
    assert {*run.valid} == {"loss", metric}


def test_a_metric_that_never_moves_is_told_in_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """BLEU counts four words in a row, and no target has as many."""
    pairs = "".join(f"{source}\t{target}\n" for source, target in [*COLOURS.items(), *THINGS.items()] * 3)
    (tmp_path / "pairs.tsv").write_text(f"en\tde\n{pairs}", encoding="utf-8")
    for changes in ([], ["training.metric=loss"]):
        run = train(recipe(tmp_path, "text.size=330", *changes), tmp_path / f"run{len(changes)}", progress="quiet")
        losses = [row["loss"] for row in read(run.metrics) if row["kind"] == "valid"]
        assert run.valid["loss"] <= min(losses), "the best by the loss"
    assert capsys.readouterr().err.splitlines()[-1:] == [
        "warning: training.metric = 'bleu' was 0.000 in all 3 validations, so the loss alone chose the model: set "
        "training.metric to one that tells models apart: 'loss', 'chrf', 'ter'"
    ]


def test_labels_that_are_alike_are_told_before_they_are_learned(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{word}\t{label}\n" for word in THINGS for label in ("a thing", "A thing ", "none"))
    Path("given.tsv").write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    changes = ("corpus.split.valid=0.3", "training.max_steps=1", "training.average=1", "text.size=300")
    train(task_models.recipe("classification", *changes), "run", progress="plain")
    shown = capsys.readouterr().err.splitlines()
    assert "3 labels: A thing , a thing, none" in shown
    assert [line for line in shown if line.startswith("warning: the labels")] == [
        "warning: the labels 'A thing ' and 'a thing' differ by white space or case alone, and each is learned as a label of its "
        "own: make them one in the corpus if they mean one thing"
    ]


@pytest.mark.parametrize("given", ["mine.toml", Path("mine.toml"), None])
def test_the_path_of_a_recipe_is_no_recipe(given: Any) -> None:
    with pytest.raises(RecipeError, match=r"train takes a Recipe, and .* is none: give Recipe\.load\(path\)"):
        train(given, "run")
    assert not Path("run").exists()


def test_a_run_in_the_way_is_refused_and_left_untouched(made: tuple[Path, Run]) -> None:
    folder, run = made
    before = snapshot(run.folder)
    with pytest.raises(
        TrainingError, match=r"run holds a run already: go on with it by --resume, or give another folder"
    ):
        train(recipe(folder), run.folder, progress="quiet")
    assert snapshot(run.folder) == before


def test_another_recipe_is_refused_naming_what_changed(made: tuple[Path, Run]) -> None:
    folder, run = made
    before = snapshot(run.folder)
    changed = recipe(folder, "encoder.layers=2", "training.learning_rate=0.5", "training.max_epochs=9", "seed=3")
    with pytest.raises(TrainingError) as caught:
        train(changed, run.folder, resume=True, progress="quiet")
    assert str(caught.value).splitlines()[1:4] == [
        "  encoder.layers: 1 in the run, 2 now",
        "  seed: 1 in the run, 3 now",
        "  training.learning_rate: 0.001 in the run, 0.5 now",
    ]
    assert snapshot(run.folder) == before


def test_a_broken_recipe_in_the_run(made: tuple[Path, Run], tmp_path: Path) -> None:
    folder, _ = made
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "recipe.toml").write_text("[corpus")
    with pytest.raises(TrainingError, match=r"recipe\.toml cannot be read .*bring it back from a copy"):
        train(recipe(folder), tmp_path / "run", resume=True, progress="quiet")


def test_a_later_end_is_gone_on_to(made: tuple[Path, Run], tmp_path: Path) -> None:
    folder, run = made
    train(recipe(folder), tmp_path / "run", progress="quiet")
    longer = train(recipe(folder, "training.max_epochs=4"), tmp_path / "run", resume=True, progress="quiet")
    assert longer.steps > run.steps
    assert [row["kind"] for row in read(longer.metrics)].count("final") == 1


@pytest.mark.parametrize(
    ("name", "resume", "message"),
    [
        ("missing", True, r"--resume: there is no run in .*missing; check --out, or leave out --resume"),
        ("file", False, r"--out .*file is a file: give the name of a folder"),
        ("full", False, r"--out .*full is not empty and holds no run: give a new folder"),
    ],
)
def test_a_folder_that_cannot_be_meant(tmp_path: Path, name: str, resume: bool, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    described, before = recipe(tmp_path), sorted(tmp_path.rglob("*"))
    with pytest.raises(TrainingError, match=message):
        train(described, tmp_path / name, resume=resume, progress="quiet")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_is_no_place_for_a_run(made: tuple[Path, Run], tmp_path: Path) -> None:
    folder, run = made
    shutil.copytree(run.model, tmp_path / "model")
    before = snapshot(tmp_path)
    with pytest.raises(TrainingError, match="model is not empty and holds no run"):
        train(recipe(folder), tmp_path / "model", progress="quiet")
    with pytest.raises(TrainingError, match=r"there is no run in .*model; check --out"):
        train(recipe(folder), tmp_path / "model", resume=True, progress="quiet")
    assert snapshot(tmp_path) == before


def test_a_run_of_another_process_is_left_alone(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "run").mkdir()
    with open(tmp_path / "run" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TrainingError, match="another process is training in"):
            train(recipe(tmp_path), tmp_path / "run", progress="quiet")


def test_after_a_mistake_in_the_corpus_the_same_command_begins_anew(tmp_path: Path) -> None:
    described = recipe(tmp_path, "training.max_epochs=1")
    pairs = Path(described.corpus.train[0].path)  # type: ignore[attr-defined]
    content = pairs.read_text()
    pairs.unlink()
    with pytest.raises(CorpusError, match="no such file"):
        train(described, tmp_path / "run", progress="quiet")
    pairs.write_text(content)
    assert train(described, tmp_path / "run", progress="quiet").steps > 0


def test_a_corpus_without_a_valid_part(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no valid part: give it corpus\.valid, or a share"):
        train(recipe(tmp_path, "corpus.split={valid = 0.0}"), tmp_path / "run", progress="quiet")


def test_too_long_is_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = recipe(tmp_path, "text.max_length=24", "training.max_epochs=1")
    pairs = Path(described.corpus.train[0].path)  # type: ignore[attr-defined]
    long = "Fensterlampe " * 30
    pairs.write_text(pairs.read_text() + f"{long}\tkurz\nshort\t{long}\n")
    train(described, tmp_path / "run", progress="plain")
    shown = capsys.readouterr().err
    assert "too long as source" in shown
    assert "too long as target" in shown
    assert "(text.max_length = 24 tokens)" in shown


def test_nothing_left(tmp_path: Path) -> None:
    described = recipe(tmp_path, "text.max_length=8")
    pairs = Path(described.corpus.train[0].path)  # type: ignore[attr-defined]
    pairs.write_text("en\tde\n" + "".join(f"{'door lamp ' * 9}{number} {number}\tTür\n" for number in range(90)))
    with pytest.raises(
        TrainingError, match=r"(?s)no example is left in the train part.*too long as source.*raise text\.max_length"
    ):
        train(described, tmp_path / "run", progress="quiet")


def test_a_batch_that_broke_the_loss_is_kept_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Training._check

    def broken(self: Training, value: float, *args: Any) -> None:
        check(self, float("inf") if self.position.step == 2 else value, *args)

    monkeypatch.setattr(Training, "_check", broken)
    with pytest.raises(TrainingError, match="step 3: the loss is inf"):
        train(recipe(tmp_path), tmp_path / "run", progress="quiet")
    example = json.loads((tmp_path / "run" / "not-finite-000003.json").read_text())["examples"][0]
    assert {*example} == {"source", "target", "passages", "source_tokens", "target_tokens"}
    assert isinstance(example["source"], str)
