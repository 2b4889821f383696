"""`endash import` and `endash export`: figures on standard output, and a model that every other command takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from endash.model import Model
from endash.text import ImportedTokenizer
from marian_checkpoints import TEXTS, write

Cli = Callable[..., Any]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write(tmp_path / "marian")


@pytest.fixture
def without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither transformers nor ctranslate2 were installed."""

    def find(name: str) -> object:
        return None if name in {"transformers", "ctranslate2"} else find_spec(name)

    monkeypatch.setattr("endash.interop.parity.find_spec", find)
    monkeypatch.setattr("endash.interop.ctranslate2.find_spec", find)


def test_an_imported_model_is_used_like_any_other(
    cli: Cli, checkpoint: Path, tmp_path: Path, without_peers: None
) -> None:
    done = cli("import", checkpoint, "--tokenizer", tmp_path / "spm.model", "--out", tmp_path / "models" / "lamps")
    assert (done.code, done.out) == (0, "")
    assert "not compared, for transformers is not installed: names, shapes and sizes of all parameters" in done.err
    assert f"{tmp_path / 'models' / 'lamps'}: a model of 0.0 million parameters" in done.err
    model = Model.load(tmp_path / "models" / "lamps")
    assert model.recipe.name == "lamps"
    lines = cli("translate", tmp_path / "models" / "lamps", "--beam", 2, stdin="\n".join(TEXTS)).out.splitlines()
    assert lines == [" ".join(text.splitlines()) for text in model(TEXTS, beam=2)]
    (tmp_path / "test.tsv").write_text("source\ttarget\n" + "".join(f"{one}\t{one}\n" for one in TEXTS), "utf-8")
    assert cli("evaluate", tmp_path / "models" / "lamps", tmp_path / "test.tsv").code == 0


def test_import_compares_before_it_writes(
    cli: Cli, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="pip install transformers, to compare with it")
    (tmp_path / "test.tsv").write_text("source\ttarget\n" + "".join(f"{one}\t\n" for one in TEXTS[:3]), "utf-8")
    command = ("import", checkpoint, "--tokenizer", tmp_path / "spm.model", "--out", tmp_path / "model")
    done = cli(*command, "--check", tmp_path / "test.tsv")
    assert done.code == 0
    assert "the logits of 3 translations differ by " in done.out
    assert "3 of 3 greedy translations are the same\n" in done.out
    assert "- imported from a Marian checkpoint; beside transformers " in (tmp_path / "model" / "README.md").read_text()
    former = (tmp_path / "model" / "model.safetensors").read_bytes()
    monkeypatch.setattr("endash.interop.marian._ACTIVATIONS", {"swish": "relu"})
    done = cli(*command)
    assert (done.code, done.out) == (2, "")
    assert "that is more than rounding" in done.err
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == former


def test_import_overwrites_nothing_but_a_model_and_says_so_first(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = cli("import", tmp_path / "nowhere", "--tokenizer", tmp_path / "spm.model", "--out", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "is there already and is no model's folder" in done.err


def test_an_imported_model_learns_on(cli: Cli, checkpoint: Path, tmp_path: Path, without_peers: None) -> None:
    model = tmp_path / "model"
    cli("import", checkpoint, "--tokenizer", tmp_path / "spm.model", "--out", model)
    train = ("train", model / "recipe.toml", "--out", tmp_path / "run", "--set", "training.max_steps=2")
    refused = cli(*train)
    assert (refused.code, refused.out) == (2, "")
    assert "corpus.train is empty: name what to train on" in refused.err
    rows = [f"{one} {two}\t{two} {one}\n" for one in TEXTS for two in ("red", "lamp", "blue", "new", "old")]
    (tmp_path / "pairs.tsv").write_text("source\ttarget\n" + "".join(rows), "utf-8")
    corpus = f'corpus={{train={{kind="tsv", path="{tmp_path / "pairs.tsv"}"}}, split={{valid=0.2}}}}'
    refused = cli(*train, "--set", corpus)
    assert refused.code == 2
    assert "text.model = 'imported' learns no vocabulary: name the imported model in [trained]" in refused.err
    halves = ("--set", f"trained.encoder={model}", "--set", f"trained.decoder={model}")
    settings = ("--set", "training.learning_rate=0.0000001", "--set", "training.precision=float32")
    done = cli(*train, "--set", corpus, *halves, *settings)
    assert done.code == 0, done.err
    tuned, former = Model.load(tmp_path / "run"), Model.load(model)
    assert isinstance(tuned.codec.target, ImportedTokenizer)
    gap = max(
        (one - other).abs().max().item()
        for one, other in zip(tuned.network.parameters(), former.network.parameters(), strict=True)
    )
    assert 0 < gap < 1e-4  # two tiny steps from where it was


def test_export_says_what_is_missing(cli: Cli, model: Path, tmp_path: Path, without_peers: None) -> None:
    done = cli("export", model, "--to", "ctranslate2", "--out", tmp_path / "ct2")
    assert (done.code, done.out) == (2, "")
    assert 'is not installed: pip install "endash[ctranslate2]"' in done.err
    done = cli("export", model, "--to", "ctranslate", "--out", tmp_path / "ct2")
    assert "unknown library 'ctranslate': did you mean 'ctranslate2'?" in done.err
    assert not (tmp_path / "ct2").exists()


def test_export_tells_its_figures(cli: Cli, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="pip install ctranslate2, to compare with it")
    (tmp_path / "test.tsv").write_text("source\ttarget\nThe door is on.\t\nThe {x} is on.\t\n", "utf-8")
    done = cli("export", model, "--to", "ctranslate2", "--out", tmp_path / "ct2", "--check", tmp_path / "test.tsv")
    assert done.code == 0, done.err
    assert "the log-probabilities of 1 translations differ by " in done.out
    assert "1 of 1 greedy translations are the same\n" in done.out
    assert "left out of the comparison, for they have placeholders: 1\n" in done.err
    assert (tmp_path / "ct2" / "model.bin").is_file()
