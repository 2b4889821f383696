"""endash sample and endash look --latent: a variational model's texts and its latent space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endash.cli import main

Cli = Callable[..., Any]
VARIATIONAL = (
    'encoder={kind="variational",width=4,encoder={kind="gru",width=32,layers=1}}',
    'link={kind="latent"}',
    'decoder={kind="gru",width=32,layers=1}',
)


@pytest.fixture(scope="module")
def variational(tmp_path_factory: pytest.TempPathFactory, recipe_file: Path) -> Path:
    run = tmp_path_factory.mktemp("runs") / "vae"
    changes = [word for change in VARIATIONAL for word in ("--set", change)]
    assert main(["train", str(recipe_file), "--out", str(run), *changes]) == 0
    return run


def test_sample_writes_a_line_for_each_vector(cli: Cli, variational: Path) -> None:
    done = cli("sample", variational, "--count", 3, "--beam", 1)
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 3)
    assert cli("sample", variational, "--count", 3, "--beam", 1, "--seed", 1).out == done.out


def test_sample_between_goes_from_one_text_to_the_other(cli: Cli, variational: Path) -> None:
    done = cli("sample", variational, "--count", 4, "--between", "The door is on.", "The fan is new.")
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 4)
    refused = cli("sample", variational, "--between", "a", "b", "--seed", 3)
    assert refused.code == 2
    assert "--between draws none: leave one of them out" in refused.err
    one = cli("sample", variational, "--between", "a", "b", "--count", 1)
    assert (one.code, one.out) == (2, "")
    assert "--count 1: --between writes the first text and the last, so at least 2" in one.err


def test_a_model_without_a_latent_vector_says_so(cli: Cli, model: Path) -> None:
    for command in (["sample", model], ["look", model, "--latent"]):
        done = cli(*command, stdin="a\nb\nc\n")
        assert (done.code, done.out) == (2, "")
        assert "encoder.kind = 'transformer' has no latent vector" in done.err


def test_look_shows_where_texts_lie(cli: Cli, variational: Path, tmp_path: Path) -> None:
    texts = "The door is on.\nThe fan is new.\nThe lock is old.\n"
    done = cli("look", variational, "--latent", "--out", tmp_path / "space.html", "--png", stdin=texts)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [str(tmp_path / "space.html"), str(tmp_path / "space.png")]
    assert "The lock is old." in (tmp_path / "space.html").read_text(encoding="utf-8")


def test_look_at_one_text_goes_without_weights(cli: Cli, variational: Path, tmp_path: Path) -> None:
    assert cli("look", variational, "The fan is new.", "--out", tmp_path / "fan.html", "--png").code == 0


@pytest.mark.parametrize("more", [[], ["The door is on.", "--latent"]])
def test_look_wants_a_text_or_the_latent_space(cli: Cli, variational: Path, more: list[str]) -> None:
    done = cli("look", variational, *more)
    assert done.code == 2
    assert "give either a TEXT to look at, or --latent and texts on standard input" in done.err
