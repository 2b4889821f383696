"""Commands on a saved model: results alone on standard output, one line for each, and nothing half-written."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endash.loading import load
from endash.model import Model

Cli = Callable[..., Any]
LINES = ["The door is on.", "", "  The light is off. ", "The fan\u2028is open.", "The lock is new. " * 20]

SPOKEN = ["The door is on.", "The light is off.", "The fan is open."]


@pytest.fixture(scope="session")
def memory_file(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory that another process encoded."""
    path = tmp_path_factory.mktemp("memory") / "lines.memory"
    command = [sys.executable, "-m", "endash", "encode", str(model), "--out", str(path)]
    text = "".join(f"{line}\n" for line in SPOKEN)
    subprocess.run(command, input=text.encode(), check=True, capture_output=True)
    return path


def test_translate_writes_one_line_for_each(cli: Cli, model: Path) -> None:
    done = cli("translate", model, stdin="".join(f"{line}\n" for line in LINES))
    out = done.out.split("\n")
    assert done.code == 0
    assert done.err.startswith(("decoded by the native core, float32", "decoded by PyTorch, for the native core: "))
    assert len(out) == len(LINES) + 1
    assert out[1] == out[-1] == ""
    assert all(len(line.splitlines()) <= 1 for line in out)


def test_translate_reads_any_line_end_and_a_last_line_without(cli: Cli, model: Path) -> None:
    first = cli("translate", model, stdin="The door is on.\nThe fan is off.\n").out
    assert cli("translate", model, stdin="The door is on.\r\nThe fan is off.").out == first
    assert cli("translate", model, stdin="").out == ""


def test_translate_many_lines_keeps_their_order(cli: Cli, model: Path) -> None:
    numbers = [f"the door {number} is on ." for number in range(600)]
    many = cli("translate", model, "--beam", 1, stdin="\n".join(numbers)).out.splitlines()
    few = cli("translate", model, "--beam", 1, stdin="\n".join(numbers[510:515])).out.splitlines()
    assert len(many) == 600
    assert many[510:515] == few


def test_translate_takes_settings_of_decoding_alone(cli: Cli, model: Path) -> None:
    greedy = cli("translate", model, "--beam", 1, stdin="The door is on.\n").out
    assert cli("translate", model, "--set", "decoding.beam=1", stdin="The door is on.\n").out == greedy
    sampled = cli(
        "translate", model, "--set", "decoding.search=sample", "--set", "decoding.seed=3", stdin="the fan .\n" * 3
    )
    assert (sampled.code, len(sampled.out.splitlines())) == (0, 3)
    refused = cli("translate", model, "--set", "link.kind=dot", stdin="x\n")
    assert refused.code == 2
    assert (
        refused.err
        == "endash: error: --set link.kind: a trained model is what it is: only decoding.… can be set here\n"
    )
    unknown = cli("translate", model, "--set", "decoding.beem=3", stdin="x\n")
    assert unknown.code == 2
    assert unknown.err.startswith("endash: error: decoding.beem: unknown key; did you mean 'beam'? allowed: ")


def test_translate_n_best(cli: Cli, model: Path) -> None:
    done = cli("translate", model, "--n-best", 2, "--beam", 4, stdin="The door is on.\nThe fan is off.\n")
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [row[0] for row in rows] == ["1", "1", "2", "2"]
    assert float(rows[0][1]) < 0
    assert rows[0][2] == cli("translate", model, "--beam", 4, stdin="The door is on.\n").out.rstrip("\n")


def test_n_best_may_be_set_as_a_setting_too(cli: Cli, model: Path, memory_file: Path) -> None:
    line = "The door is on.\n"
    done = cli("translate", model, "--set", "decoding.n_best=2", "--beam", 4, stdin=line)
    assert done.out == cli("translate", model, "--n-best", 2, "--beam", 4, stdin=line).out
    assert cli("translate", model, "--n-best", 2, "--set", "decoding.n_best=2", stdin=line).code == 0
    for command in (("translate", model, "--alignment"), ("decode", model, memory_file), ("evaluate", model, "x.tsv")):
        done = cli(*command, "--set", "decoding.n_best=2", stdin=line)
        assert (done.code, done.out) == (2, "")
        assert "best" in done.err


@pytest.mark.parametrize(("option", "setting"), [("--beam", "beam"), ("--n-best", "n_best")])
def test_an_option_that_a_setting_contradicts_is_refused(option: str, setting: str, cli: Cli, model: Path) -> None:
    done = cli("translate", model, option, 2, "--set", f"decoding.{setting}=3", stdin="a\n")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"endash: error: {option} 2 and --set decoding.{setting}=3 contradict: leave one")


def test_translate_alignment_is_in_pharaoh_pairs(cli: Cli, model: Path) -> None:
    (line,) = cli("translate", model, "--alignment", stdin="The door is on.\n").out.splitlines()
    text, pairs = line.split("\t")
    for pair in pairs.split():
        source, target = map(int, pair.split("-"))
        assert source < 5
        assert target < len(text.split())


def test_translate_a_file_keeps_its_structure(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text("id\tsource\n7\tThe door is on.\n8\tThe fan is off.\n", encoding="utf-8")
    done = cli("translate", model, "--in", tmp_path / "in.tsv", "--out", tmp_path / "out.tsv")
    assert (done.code, done.out) == (0, "")
    assert "2 texts translated, 0 translations kept as they were\n" in done.err
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()]
    assert [row[:2] for row in rows] == [["id", "source"], ["7", "The door is on."], ["8", "The fan is off."]]
    assert rows[0][2] == "target"
    (tmp_path / "bare.tsv").write_text("The door is on.\nThe fan is off.\n", encoding="utf-8")
    done = cli("translate", model, "--in", tmp_path / "bare.tsv", "--out", tmp_path / "out.tsv")
    assert "taking 'The door is on.' for the source" in done.err


def test_translate_in_and_out_go_together(cli: Cli, model: Path) -> None:
    done = cli("translate", model, "--in", "a.tsv")
    assert (done.code, done.err) == (
        2,
        "endash: error: --in and --out go together: the file to translate and the one to write\n",
    )
    done = cli("translate", model, "--in", "a.tsv", "--out", "b.tsv", "--alignment")
    assert (done.code, done.err[:45]) == (2, "endash: error: --alignment, --n-best and --pr")


def test_a_failed_file_leaves_the_old_one_whole(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_bytes(b"source\nThe door is on.\n\xff\n")
    (tmp_path / "out.tsv").write_text("precious", encoding="utf-8")
    done = cli("translate", model, "--in", tmp_path / "in.tsv", "--out", tmp_path / "out.tsv")
    assert done.code == 2
    assert f"{tmp_path / 'in.tsv'}:3" in done.err
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8") == "precious"
    assert sorted(os.listdir(tmp_path)) == ["in.tsv", "out.tsv"]


def test_a_file_whose_translation_is_terminated_leaves_nothing(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("endash.engine.Engine.translate", terminated)
    (tmp_path / "in.txt").write_text("a\n", encoding="utf-8")
    done = cli("translate", model, "--in", tmp_path / "in.txt", "--out", tmp_path / "out.txt")
    assert (done.code, done.err) == (130, "endash: interrupted\n")
    assert os.listdir(tmp_path) == ["in.txt"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("command", ["translate", "score"])
def test_a_byte_that_is_no_utf8_is_told_with_its_line(command: str, cli: Cli, model: Path) -> None:
    done = cli(command, model, stdin=b"a\tb\nbl\xe4ulich\t\n")
    assert done.code == 2
    assert done.err == (
        "endash: error: standard input, line 2: byte 0xe4 at position 3 is not UTF-8: "
        "convert the text first, such as with iconv -f latin1 -t utf-8\n"
    )


def test_score_is_that_of_translate(cli: Cli, model: Path) -> None:
    number, score, text = cli("translate", model, "--n-best", 1, stdin="The door is on.\n").out.rstrip("\n").split("\t")
    done = cli("score", model, stdin=f"The door is on.\t{text}\nThe fan is off.\tVentilator\n")
    scores = [float(line) for line in done.out.splitlines()]
    assert len(scores) == 2
    assert math.isclose(scores[0], float(score), abs_tol=2e-3), "the last digits of float32 depend on the batch"
    assert number == "1"


def test_score_needs_one_tab_a_line(cli: Cli, model: Path) -> None:
    done = cli("score", model, stdin="a\tb\nno tab\n")
    assert (done.code, done.out) == (2, "")
    assert done.err == "endash: error: standard input, line 2: 0 tabs, where one must stand between source and target\n"


def test_a_memory_of_yesterday_decodes_to_the_same_words(cli: Cli, model: Path, memory_file: Path) -> None:
    told = cli("translate", model, stdin="".join(f"{line}\n" for line in SPOKEN))
    done = cli("decode", model, memory_file)
    assert (done.code, done.err) == (0, "")
    assert done.out == told.out
    assert cli("decode", model, memory_file, "--beam", 1).code == 0


def test_encode_needs_a_line_and_a_folder(cli: Cli, model: Path, tmp_path: Path) -> None:
    done = cli("encode", model, "--out", tmp_path / "x.memory")
    assert done.code == 2
    assert done.err.startswith("endash: error: standard input is empty: give endash encode a line")
    (tmp_path / "file").write_text("")
    assert cli("encode", model, "--out", tmp_path / "file" / "x.memory", stdin="a\n").code == 2
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_decode_refuses_what_is_no_memory_of_this_model(
    cli: Cli, model: Path, other_model: Path, memory_file: Path, tmp_path: Path
) -> None:
    done = cli("decode", other_model, memory_file)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("endash: error: this memory comes from another encoder")
    (tmp_path / "half.memory").write_bytes(memory_file.read_bytes()[:300])
    done = cli("decode", model, tmp_path / "half.memory")
    assert done.code == 2
    assert "half.memory is not a whole memory file" in done.err
    done = cli("decode", model, tmp_path / "none.memory")
    assert done.code == 2
    assert "there is no such memory file" in done.err


def test_evaluate_prints_figures(cli: Cli, model: Path, recipe_file: Path) -> None:
    corpus = recipe_file.parent / "pairs.tsv"
    done = cli("evaluate", model, corpus, "--json", "--beam", 1)
    figures = json.loads(done.out)
    assert (done.code, figures["model"], figures["sentences"]) == (0, str(model), 42)
    assert {"bleu", "chrf", "ter", "signatures", "intervals"} <= set(figures)
    assert "42 of 42 records kept" in done.err
    table = cli("evaluate", model, corpus, "--beam", 1).out
    assert "BLEU" in table
    assert "nrefs:1" in table.replace("\n", "")


def test_evaluate_against_another_model(cli: Cli, model: Path, other_model: Path, recipe_file: Path) -> None:
    arguments = ("evaluate", model, recipe_file.parent / "pairs.tsv", "--against", other_model, "--beam", 1)
    figures = json.loads(cli(*arguments, "--json").out)
    assert figures["against"]["model"] == str(other_model)
    assert 0 <= figures["comparison"]["bleu"]["p"] <= 1
    assert "42 sentences" in cli(*arguments).out


def test_evaluate_against_itself_is_no_comparison(cli: Cli, model: Path) -> None:
    done = cli("evaluate", model, "x.tsv", "--against", f"{model}/../{model.name}")
    assert (done.code, done.out) == (2, "")
    assert "is the model itself: name another one to compare with" in done.err


def test_evaluate_takes_the_language_from_the_column(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("en\tzh\nthe door .\t门\nthe fan .\t风扇\n", encoding="utf-8")
    for arguments, tokenizer in (([], "tok:zh"), (["--language", "de"], "tok:13a")):
        figures = json.loads(
            cli("evaluate", model, f"{tmp_path}/test.tsv:en,zh", "--json", "--beam", 1, *arguments).out
        )
        assert tokenizer in figures["signatures"]["bleu"]


def test_evaluate_takes_the_language_from_the_recipe_s_own_reader(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("en\tth\nthe door .\tDie\nthe fan .\tder\n", encoding="utf-8")
    asked = load(model)
    test = f"corpus.test={{kind='tsv',path='{tmp_path}/test.tsv',source='en',target='th'}}"
    asked.recipe = asked.recipe.changed([test, "corpus.split.test=0.0"])
    asked.save(tmp_path / "thai")
    figures = json.loads(cli("evaluate", tmp_path / "thai", "--json", "--beam", 1).out)
    assert "tok:char" in figures["signatures"]["bleu"]


def test_evaluate_asks_by_the_prompt_that_was_learned_with(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.tsv").write_text("en\tde\nthe door .\tDie\n", encoding="utf-8")
    asked = load(model)
    asked.recipe = asked.recipe.changed(["corpus.train={kind='tsv',path='x.tsv',prompt='German: {source}'}"])
    asked.save(tmp_path / "prompted")
    read: list[str] = []
    answer = Model.answer
    monkeypatch.setattr(
        Model, "answer", lambda self, some, **how: read.extend(one.source for one in some) or answer(self, some, **how)
    )
    assert cli("evaluate", tmp_path / "prompted", f"{tmp_path}/test.tsv:en,de", "--beam", 1).code == 0
    assert read == ["German: the door ."]


def test_evaluate_knows_chinese_where_nothing_names_it(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("source\ttarget\nthe door .\t门\nthe fan .\t风扇\n", encoding="utf-8")
    figures = json.loads(cli("evaluate", model, tmp_path / "test.tsv", "--json", "--beam", 1).out)
    assert "tok:zh" in figures["signatures"]["bleu"]
    done = cli("evaluate", model, tmp_path / "test.tsv", "--language", "chinese")
    assert (done.code, done.out) == (2, "")
    assert "'chinese' is no language code that is known" in done.err


def test_evaluate_names_a_wrong_column(cli: Cli, model: Path, recipe_file: Path) -> None:
    done = cli("evaluate", model, f"{recipe_file.parent}/pairs.tsv:source,tagret")
    assert (done.code, done.out) == (2, "")
    assert "no column 'tagret': did you mean 'target'? allowed: source, target" in done.err


@pytest.mark.parametrize("command", ["translate", "score", "encode", "decode", "evaluate", "look"])
def test_every_command_says_what_a_folder_lacks(
    command: str, cli: Cli, model: Path, tmp_path: Path, recipe_file: Path
) -> None:
    rest = {
        "encode": ["--out", tmp_path / "x"],
        "decode": [tmp_path / "x"],
        "evaluate": [recipe_file.parent / "pairs.tsv"],
        "look": ["text", "--no-open", "--out", tmp_path / "x"],
    }.get(command, [])
    if command == "decode":
        cli("encode", model, "--out", tmp_path / "x", stdin="a\n")
    done = cli(command, tmp_path / "nowhere", *rest, stdin="a\tb\n")
    assert (done.code, done.out) == (2, "")
    assert f"endash: error: {tmp_path / 'nowhere'}: there is no such model" in done.err
    (tmp_path / "empty").mkdir()
    done = cli(command, tmp_path / "empty", *rest, stdin="a\tb\n")
    assert done.code == 2
    assert "it is no model's folder" in done.err


@pytest.mark.parametrize("missing", ["model.safetensors", "recipe.toml", "text"])
def test_an_incomplete_model_is_refused_by_name(missing: str, cli: Cli, model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for entry in (model / "model").iterdir():
        if entry.name != missing:
            (copy / entry.name).symlink_to(entry)
    done = cli("translate", copy, stdin="a\n")
    assert done.code == 2
    assert f"{missing} is missing: copy the whole folder again" in done.err
