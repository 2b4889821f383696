"""A project folder that was moved, with its corpus and its runs: a run in it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_training_run import interrupt, recipe

from endash.errors import TrainingError
from endash.training import train
from endash.training.interruption import Interrupted


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a corpus and a run of it that was stopped."""
    (tmp_path / "old").mkdir()
    with monkeypatch.context() as patched:
        interrupt(patched, at_step=3)
        with pytest.raises(Interrupted):
            train(recipe(tmp_path / "old"), tmp_path / "old" / "run", progress="quiet")
    return tmp_path / "old"


def test_a_run_goes_on_where_its_project_was_moved_to(project: Path) -> None:
    examples = (project / "run" / "examples" / "train" / "examples.json").read_bytes()
    moved = project.rename(project.with_name("new"))
    assert train(recipe(moved), moved / "run", resume=True, progress="quiet").steps > 3
    assert (moved / "run" / "examples" / "train" / "examples.json").read_bytes() == examples


def test_a_copy_goes_on_too_and_another_corpus_does_not(project: Path) -> None:
    copy = Path(shutil.copytree(project, project.with_name("copy")))
    (copy / "pairs.tsv").write_text("en\tde\nthe\tdie\n", encoding="utf-8")
    with pytest.raises(
        TrainingError, match=r"corpus\.train\.0\.path: .*old/pairs.tsv in the run, .*copy/pairs.tsv now"
    ):
        train(recipe(copy), copy / "run", resume=True, progress="quiet")
    shutil.copy(project / "pairs.tsv", copy)
    assert train(recipe(copy), copy / "run", resume=True, progress="quiet").steps > 3
