"""`endash predict --examples`: a file of them, each line answered by all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endash.model import Model
from tiny_model import PAIRS, build, trained_codec

Cli = Callable[..., Any]
LINES = ["The door is on.", "The roof is new and cold and old."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("asked")
    model = build(trained_codec(), 'task={kind="prompting",examples=2}', "text.placeholders=false")
    model.save(made / "model")
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS[:3])
    (made / "three.tsv").write_text(f"source\ttarget\n{rows}", encoding="utf-8")
    rows = "".join(f"{target}\t-\t{source}\n" for source, target in PAIRS[:3])
    (made / "swapped.tsv").write_text(f"answer\tx\ttext\n{rows}", encoding="utf-8")
    return made


def test_each_line_is_answered_by_the_examples_of_a_file(cli: Cli, folder: Path) -> None:
    wanted = Model.load(folder / "model").prompt(LINES, examples=PAIRS[:3])
    text = "".join(f"{line}\n" for line in LINES)
    done = cli("predict", folder / "model", "--examples", folder / "three.tsv", stdin=text)
    assert (done.code, done.out.splitlines()) == (0, wanted)
    named = cli("predict", folder / "model", "--examples", f"{folder / 'swapped.tsv'}:text,answer", stdin=text)
    assert named.out == done.out
    assert cli("predict", folder / "model", stdin=text).out != done.out


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ("none.tsv", "none.tsv"),
        ("long.tsv", "example 2 has "),
    ],
)
def test_examples_that_cannot_be_read_are_named(cli: Cli, folder: Path, examples: str, message: str) -> None:
    (folder / "long.tsv").write_text(f"source\ttarget\na\tb\nc\t{'door ' * 60}\n", encoding="utf-8")
    done = cli("predict", folder / "model", "--examples", folder / examples, stdin="on\n")
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_model_of_another_task_refuses_them(cli: Cli, model: Path, folder: Path) -> None:
    done = cli("predict", model, "--examples", folder / "three.tsv", stdin="on\n")
    assert done.code == 2
    assert "task.kind = 'translation', which has learned to read no examples" in done.err
