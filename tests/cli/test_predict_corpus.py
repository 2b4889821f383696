"""`endash predict --in`: a file of sources, each row answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from task_models import TEXTS, sound, write

Cli = Callable[..., Any]
FILES = {
    "classification": ("it.tsv", ["text", *TEXTS]),
    "inference": ("it.tsv", ["premise\thypothesis", *(f"{text}\t{text}" for text in TEXTS)]),
    "tagging": ("it.jsonl", [json.dumps({"tokens": text.split()}) for text in TEXTS]),
    "generation": ("it.tsv", ["mr", *TEXTS]),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_needs_no_answers(kind: str, cli: Cli, tmp_path: Path) -> None:
    name, lines = FILES[kind]
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    changes = ["task.scheme=bio"] if kind == "tagging" else []
    done = cli("predict", write(kind, tmp_path / "model", *changes), "--in", tmp_path / name)
    assert (done.code, len(done.out.splitlines())) == (0, 4), done.err


def test_recordings_need_no_answers(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    Path(tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "a.wav").write_bytes(sound())
    (tmp_path / "sounds" / "b.wav").write_bytes(sound()[:30])
    (tmp_path / "it.tsv").write_text("file\na.wav\n", encoding="utf-8")
    model = write("speech-recognition", tmp_path / "model")
    arguments = ("predict", model, "--in", tmp_path / "it.tsv", "--files", tmp_path / "sounds")
    assert cli(*arguments).code == 0
    (tmp_path / "it.tsv").write_text("file\na.wav\nb.wav\n", encoding="utf-8")
    done = cli(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "it.tsv:3: b.wav cannot be read" in done.err


@pytest.mark.parametrize(
    ("kind", "bad", "message"),
    [
        ("classification", "a\tb", "it.tsv:152: 2 columns where the header has 1"),
        ("inference", "a\tb\tc", "it.tsv:152: 3 columns where the header has 2"),
    ],
)
def test_one_bad_row_is_named_and_nothing_is_answered(
    kind: str, bad: str, message: str, cli: Cli, tmp_path: Path
) -> None:
    name, (header, row, *_) = FILES[kind]
    (tmp_path / name).write_text("\n".join([header, *[row] * 150, bad]) + "\n", encoding="utf-8")
    done = cli("predict", write(kind, tmp_path / "model"), "--in", tmp_path / name)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
