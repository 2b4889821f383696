"""endash evaluate: the page that it writes beside its figures, and what it prints of labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from endash import __version__

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


def test_a_page_that_cannot_be_written_is_told_before_anything_is_loaded(cli: Cli, tmp_path: Path) -> None:
    for place, told in ((tmp_path / "no" / "it.html", "there is no folder"), (tmp_path, "is a folder: give the name")):
        done = cli("evaluate", "no-such-model", "pairs.tsv", "--html", place)
        assert (done.code, done.out) == (2, "")
        assert told in done.err


def test_figures_are_written_also_where_the_page_fails(
    cli: Cli, model: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    corpus = recipe_file.parent / "pairs.tsv"
    done = cli("evaluate", model, corpus, "--beam", 1, "--json", "--html", tmp_path / "it.html")
    assert (done.code, json.loads(done.out)["sentences"]) == (2, 42)
    assert "No space left on device" in done.err


CLASSIFIER = """
name = "tiny"
seed = SEED
task = { kind = "classification" }
encoder = { kind = "transformer", width = 16, layers = 1, heads = 2, dropout = 0.0 }
training = { max_steps = 5, validate_every = 5, batch_tokens = 256, average = 1 }
[corpus]
train = { kind = "tsv", path = "intents.tsv", source = "text", target = "intent" }
split = { valid = 0.3 }
[text]
size = 400
"""
ROWS = [
    (f"{verb} the {thing} {word}", verb)
    for verb in ("open", "close")
    for thing in ("door", "lamp")
    for word in "abcdef"
]


@pytest.fixture
def classifiers(cli: Cli, tmp_path: Path) -> list[Path]:
    """Two classifiers of the same texts, hardly trained."""
    lines = ["text\tintent", *("\t".join(row) for row in ROWS)]
    (tmp_path / "intents.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    runs = []
    for seed in (1, 2):
        recipe, run = tmp_path / f"{seed}.toml", tmp_path / f"run{seed}"
        recipe.write_text(CLASSIFIER.replace("SEED", str(seed)), encoding="utf-8")
        assert cli("train", recipe, "--out", run).code == 0
        runs.append(run)
    return runs


def test_labels_have_a_table_with_every_label_of_each_model(cli: Cli, classifiers: list[Path], tmp_path: Path) -> None:
    one, other = classifiers
    done = cli("evaluate", one, tmp_path / "intents.tsv", "--against", other)
    assert done.code == 0
    for row in ("open", "close", "micro", "macro", "weighted"):
        assert sum(line.split()[1:3] == [row, "│"] for line in done.out.splitlines()) == 2
    assert "paired approximate randomisation, 24 records" in done.out
    figures = json.loads(cli("evaluate", one, tmp_path / "intents.tsv", "--json").out)
    assert figures["labels"]["open"]["support"] == 12
    assert figures["confusion"]["labels"] == ["close", "open"]


def test_figures_as_json_say_what_was_measured_and_how(
    cli: Cli, model: Path, other_model: Path, recipe_file: Path
) -> None:
    corpus = recipe_file.parent / "pairs.tsv"
    figures = json.loads(cli("evaluate", model, corpus, "--against", other_model, "--beam", 2, "--json").out)
    assert figures["endash"] == __version__
    assert (figures["corpus"]["part"], figures["corpus"]["records"]) == ("test", 42)
    assert [one["path"] for one in figures["corpus"]["readers"]] == [str(corpus)]
    for told in (figures, figures["against"]):
        assert (told["decoding"]["search"], told["decoding"]["beam"]) == ("beam", 2)
    assert figures["against"].keys().isdisjoint({"endash", "corpus"})


def test_figures_of_labels_as_json_tell_of_no_decoding(cli: Cli, classifiers: list[Path], tmp_path: Path) -> None:
    figures = json.loads(cli("evaluate", classifiers[0], tmp_path / "intents.tsv", "--json").out)
    assert figures["corpus"]["records"] == 24
    assert "decoding" not in figures


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_answers_that_were_measured_are_kept(
    cli: Cli, model: Path, other_model: Path, recipe_file: Path, tmp_path: Path
) -> None:
    corpus, answers = recipe_file.parent / "pairs.tsv", tmp_path / "answers.jsonl"
    done = cli("evaluate", model, corpus, "--against", other_model, "--beam", 1, "--json", "--answers", answers)
    assert (done.code, f"wrote {answers}" in done.err) == (0, True)
    rows = rows_of(answers)
    pairs = [line.split("\t") for line in corpus.read_text(encoding="utf-8").splitlines()[1:]]
    assert [(row["source"], row["references"]) for row in rows] == [(a, [b]) for a, b in pairs]
    assert [row["where"] for row in rows] == [f"{corpus}:{line}" for line in range(2, 2 + len(pairs))]
    written = cli("translate", model, "--beam", 1, stdin="".join(f"{a}\n" for a, _ in pairs)).out.splitlines()
    assert [row["answer"] for row in rows] == written
    assert any(row["against"]["answer"] != row["answer"] for row in rows)
    assert cli("evaluate", "no-such-model", corpus, "--answers", tmp_path / "no" / "it").err.count("there is no folder")


def test_the_answers_of_a_classifier_have_their_probability(cli: Cli, classifiers: list[Path], tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    assert cli("evaluate", classifiers[0], tmp_path / "intents.tsv", "--answers", answers).code == 0
    rows, lines = rows_of(answers), "".join(f"{text}\n" for text, _ in ROWS)
    told = cli("predict", classifiers[0], "--probabilities", 1, stdin=lines).out.splitlines()
    assert [f"{row['answer']} {row['probability']:.3f}" for row in rows] == told


def test_comet_is_of_translations_alone(
    cli: Cli, classifiers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endash.evaluation.comet.importlib.util.find_spec", lambda name: object())
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.ckpt").touch()
    done = cli("evaluate", classifiers[0], tmp_path / "intents.tsv", "--comet", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "--comet measures translations" in done.err


def test_a_page_of_labels_has_the_curves_of_its_run(cli: Cli, classifiers: list[Path], tmp_path: Path) -> None:
    assert cli("evaluate", classifiers[0], tmp_path / "intents.tsv", "--html", tmp_path / "it.html").code == 0
    text = (tmp_path / "it.html").read_text(encoding="utf-8")
    assert f"Learning curves · {classifiers[0]}" in text
    assert "What is taken for what" in text


def test_comet_is_measured_where_it_is_there(
    cli: Cli, model: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in for the package, which scores a translation of each record by 0.5."""
    corpus = recipe_file.parent / "pairs.tsv"
    monkeypatch.setattr("endash.evaluation.comet.importlib.util.find_spec", lambda name: None)
    done = cli("evaluate", model, corpus, "--comet", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "COMET is not installed: pip install unbabel-comet" in done.err
    monkeypatch.setattr("endash.evaluation.comet.importlib.util.find_spec", lambda name: object())
    made = SimpleNamespace(predict=lambda rows, **_: SimpleNamespace(scores=[0.5] * len(rows)))
    monkeypatch.setitem(sys.modules, "comet", SimpleNamespace(load_from_checkpoint=lambda path: made))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.ckpt").touch()
    figures = json.loads(cli("evaluate", model, corpus, "--beam", 1, "--json", "--comet", tmp_path).out)
    assert figures["comet"] == 0.5
    assert figures["signatures"]["comet"].startswith(f"comet|model:{tmp_path.name}|")
