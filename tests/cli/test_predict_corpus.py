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


def test_of_a_conversation_the_reply_that_is_due_is_answered_too(cli: Cli, tmp_path: Path) -> None:
    said = [("customer", TEXTS[0]), ("agent", TEXTS[1]), ("customer", TEXTS[2])]
    turns = [{"speaker": speaker, "text": text} for speaker, text in said]
    model = write("dialogue", tmp_path / "model")
    for shown, answers in ((turns, 2), (turns[:2], 1), (turns[:1], 1)):
        (tmp_path / "it.jsonl").write_text(json.dumps({"turns": shown}) + "\n", encoding="utf-8")
        done = cli("predict", model, "--in", tmp_path / "it.jsonl")
        assert (done.code, len(done.out.splitlines())) == (0, answers), done.err
    lines = [" ⏎ ".join(f"{speaker}: {text}" for speaker, text in said[:end]) for end in (1, 3)]
    (tmp_path / "it.jsonl").write_text(json.dumps({"turns": turns}) + "\n", encoding="utf-8")
    assert cli("predict", model, "--in", tmp_path / "it.jsonl").out == cli("predict", model, stdin="\n".join(lines)).out


@pytest.mark.parametrize("name", ["it.po", "it.tmx:en,de", "it.xlf"])
def test_a_file_that_is_read_without_what_is_not_translated_is_refused(name: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / name.split(":", maxsplit=1)[0]).write_text('msgid "Open"\nmsgstr ""\n', encoding="utf-8")
    done = cli("predict", write("generation", tmp_path / "model"), "--in", tmp_path / name)
    assert (done.code, done.out) == (2, "")
    assert "fill in what is missing by endash translate MODEL --in FILE --out FILE" in done.err


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
