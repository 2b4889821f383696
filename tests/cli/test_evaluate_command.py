"""endash evaluate: the page that it writes beside its figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def test_a_page_is_written_beside_the_figures(cli: Cli, model: Path, recipe_file: Path, tmp_path: Path) -> None:
    done = cli(
        "evaluate", model, recipe_file.parent / "pairs.tsv", "--beam", 1, "--json", "--html", tmp_path / "it.html"
    )
    assert (done.code, json.loads(done.out)["sentences"]) == (0, 42)
    assert f"wrote {tmp_path / 'it.html'}" in done.err
    text = (tmp_path / "it.html").read_text(encoding="utf-8")
    assert "BLEU ↑" in text
    assert "Worst answers" in text
    assert ("Learning curves" in text) == (model / "metrics.jsonl").exists()


def test_a_page_that_cannot_be_written_is_told(cli: Cli, model: Path, recipe_file: Path, tmp_path: Path) -> None:
    done = cli("evaluate", model, recipe_file.parent / "pairs.tsv", "--beam", 1, "--html", tmp_path / "no" / "it.html")
    assert (done.code, done.out) == (2, "")
    assert "there is no folder" in done.err
