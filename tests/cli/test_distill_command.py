"""endash distill: endash train with a teacher."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_a_run_comes_of_a_recipe_and_a_teacher(
    cli: Cli, recipe_file: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    run = tmp_path / "run"
    command = ["distill", recipe_file, "--teacher", model.name, "--out", run, "--beam", 2]
    done = cli(*command, "--set", "training.max_steps=2")
    assert (done.code, done.out) == (0, f"{run}\n"), done.err
    with open(run / "recipe.toml", "rb") as file:
        kept = tomllib.load(file)["distillation"]
    assert kept == {"teacher": str(model), "targets": "both", "beam": 2}
    assert "translated by the teacher" in done.err
    assert "chrF" in done.err
    assert cli("translate", run, stdin="The door is on.").code == 0
    again = cli(*command, "--resume", "--set", "training.max_steps=4")
    assert (again.code, again.out) == (0, f"{run}\n"), again.err
    assert "translated by the teacher" not in again.err


def test_a_teacher_that_is_missing(cli: Cli, recipe_file: Path, tmp_path: Path) -> None:
    done = cli("distill", recipe_file, "--teacher", tmp_path / "none", "--out", tmp_path / "run")
    assert (done.code, done.out) == (2, "")
    assert (
        done.err.splitlines()[-1]
        == f"endash: error: {tmp_path}/none: there is no such model; give the folder of a model, or of a run"
    )


@pytest.mark.parametrize("setting", ["distillation.beam=3", "distillation.teacher=x", 'distillation={teacher="x"}'])
def test_one_thing_is_not_said_twice(setting: str, cli: Cli, recipe_file: Path, tmp_path: Path) -> None:
    done = cli("distill", recipe_file, "--teacher", "x", "--beam", 2, "--out", tmp_path / "run", "--set", setting)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"endash: error: --set {setting}: --teacher and --beam say it: leave one out\n"
    assert not (tmp_path / "run").exists()


def test_a_teacher_may_be_called_as_a_number(cli: Cli, recipe_file: Path, tmp_path: Path) -> None:
    done = cli("distill", recipe_file, "--teacher", "7", "--out", tmp_path / "run")
    assert done.code == 2
    assert "/7: there is no such model" in done.err
