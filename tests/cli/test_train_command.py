"""endash train: a run comes of a recipe, and mistakes touch nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_the_run_keeps_its_resolved_recipe_and_is_a_model(model: Path) -> None:
    with open(model / "recipe.toml", "rb") as file:
        kept = tomllib.load(file)
    assert kept["training"]["max_steps"] == 40
    assert kept["seed"] == 1
    assert (model / "metrics.jsonl").read_text(encoding="utf-8").count("\n") >= 1
    assert (model / "model" / "model.safetensors").is_file()


def test_a_folder_that_is_already_a_run_is_left_alone(cli: Cli, model: Path, recipe_file: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in model.rglob("*") if path.is_file()}
    done = cli("train", recipe_file, "--out", model)
    assert (done.code, done.out) == (2, "")
    assert "--resume" in done.err
    assert {path: path.stat().st_mtime_ns for path in model.rglob("*") if path.is_file()} == before


def test_what_is_no_folder_is_refused(cli: Cli, recipe_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    done = cli("train", recipe_file, "--out", tmp_path / "file")
    assert (done.code, done.out) == (2, "")
    assert "is a file: give the name of a folder" in done.err
    done = cli("train", recipe_file, "--out", tmp_path / "file" / "run")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "precious"
    done = cli("train", recipe_file, "--out", tmp_path / "none", "--resume")
    assert done.code == 2
    assert "--resume: there is no run in" in done.err
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("corpus.train.path=none.tsv", "none.tsv: no such file in"),
        ("corpus.train.target=taget", "no column 'taget': did you mean 'target'? allowed: source, target"),
        ("text.size=310", "text.size = 310"),
        ("training.learnign_rate=1", "did you mean 'learning_rate'?"),
        ("encoder.kind=lstn", "did you mean 'lstm'?"),
    ],
)
def test_mistakes_in_the_recipe_are_told(
    setting: str, message: str, cli: Cli, recipe_file: Path, tmp_path: Path
) -> None:
    done = cli("train", recipe_file, "--out", tmp_path / "run", "--set", setting)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_recipe_that_is_missing(cli: Cli, recipe_file: Path, tmp_path: Path) -> None:
    done = cli("train", recipe_file.with_name("tinny.toml"), "--out", tmp_path / "run")
    assert done.code == 2
    assert "there is no such recipe: did you mean" in done.err
    assert not (tmp_path / "run").exists()


def test_interrupted_it_exits_with_130_and_says_how_to_go_on(cli: Cli, recipe_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["--set", "training.max_steps=1000000", "--set", "training.log_every=1"]
    command = [sys.executable, "-m", "endash", "train", str(recipe_file), "--out", str(run), *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith("step ") for line in process.stderr), "it never came to train"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "--resume" in err.splitlines()[-1]
    assert "Traceback" not in err
    done = cli("train", recipe_file, "--out", run, "--resume", "--set", "training.max_steps=1")
    assert (done.code, done.out) == (0, f"{run}\n"), done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_before_it_trains_it_says_how_to_go_on(
    number: signal.Signals, cli: Cli, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr("endash.training.preparation.Codec.train", interrupted)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores Ctrl-C
    try:
        done = cli("train", recipe_file, "--out", tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, former)
    assert (done.code, done.out) == (130, "")
    assert done.err.splitlines()[-1].endswith("To go on, give the same command with --resume")
    monkeypatch.undo()
    done = cli("train", recipe_file, "--out", tmp_path / "run", "--resume", "--set", "training.max_steps=1")
    assert done.code == 0, done.err
