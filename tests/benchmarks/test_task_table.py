"""The table of a model beside the baselines of its task."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from task_models import TEXTS, build, recipe

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("task_table", FOLDER / "tasks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_task_without_baselines_shows_its_models_or_says_what_is_missing(
    table: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{text} {word}\t{text}\n" for text in TEXTS for word in "abcdefghi"]
    Path("given.tsv").write_text("mr\ttext\n" + "".join(rows), encoding="utf-8")
    changes = ('task={kind="prompting"}', "corpus.split={valid=0.2,test=0.4}")
    Path("it.toml").write_text(recipe("generation", *changes).to_toml(), encoding="utf-8")
    build("generation", *changes).save(tmp_path / "model")
    monkeypatch.setattr(sys, "argv", ["tasks.py", "it.toml"])
    with pytest.raises(SystemExit, match="there is nothing to measure: name a MODEL"):
        table.main()
    assert "task.kind = 'prompting' has no baseline here, only translation, " in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["tasks.py", "it.toml", "model"])
    table.main()
    assert "| model |" in capsys.readouterr().out
