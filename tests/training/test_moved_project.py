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


def test_a_run_goes_on_where_its_project_was_moved_to(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = (project / "run" / "examples" / "train" / "examples.json").read_bytes()
    moved = project.rename(project.with_name("new"))
    assert train(recipe(moved), moved / "run", resume=True, progress="quiet").steps > 3
    assert (moved / "run" / "examples" / "train" / "examples.json").read_bytes() == examples
    assert "has changed" not in capsys.readouterr().err


def test_a_file_that_has_changed_since_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By what it holds: a file that is written again as it was has not changed."""
    pairs = project / "pairs.tsv"
    before = pairs.read_text(encoding="utf-8")
    for content, told in ((before, []), (before.replace("Lampe", "Leuchte"), [str(pairs)]), (before, [])):
        pairs.write_text(content, encoding="utf-8")
        train(recipe(project), project / "run", resume=True, progress="quiet")
        lines = capsys.readouterr().err.splitlines()
        assert [line for line in lines if "has changed" in line] == [
            f"warning: {path} has changed since this run began, and what was made of it then stays: to learn from it as it is now, "
            "train in another folder"
            for path in told
        ]
    pairs.write_text(before.replace("Lampe", "Leuchte"), encoding="utf-8")
    train(recipe(project), project / "anew", progress="quiet")
    assert "has changed" not in capsys.readouterr().err


def test_a_copy_goes_on_too_and_another_corpus_does_not(project: Path) -> None:
    copy = Path(shutil.copytree(project, project.with_name("copy")))
    (copy / "pairs.tsv").write_text("en\tde\nthe\tdie\n", encoding="utf-8")
    with pytest.raises(
        TrainingError, match=r"corpus\.train\.0\.path: .*old/pairs.tsv in the run, .*copy/pairs.tsv now"
    ):
        train(recipe(copy), copy / "run", resume=True, progress="quiet")
    shutil.copy(project / "pairs.tsv", copy)
    assert train(recipe(copy), copy / "run", resume=True, progress="quiet").steps > 3
