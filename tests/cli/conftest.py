from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from endash.cli import main
from endash.model import Model

NOUNS = {"door": "Tür", "light": "Lampe", "lock": "Sperre", "fan": "Lüftung", "window": "Luke", "heater": "Heizung"}
STATES = {"on": "an", "off": "aus", "open": "offen", "closed": "zu", "warm": "warm", "cold": "kalt", "new": "neu"}
PAIRS = [(f"The {noun} is {state}.", f"Die {NOUNS[noun]} ist {STATES[state]}.") for noun in NOUNS for state in STATES]
RECIPE = """
name = "tiny"

[corpus]
train = { kind = "tsv", path = "pairs.tsv" }
split = { valid = 0.1 }

[text]
size = 360
max_length = 40

[encoder]
kind = "transformer"
width = 32
layers = 1
heads = 2
feed_forward = 32
dropout = 0.0

[link]
kind = "cross-attention"
heads = 2

[decoder]
kind = "transformer"
width = 32
layers = 1
heads = 2
feed_forward = 32
dropout = 0.0

[training]
max_steps = 40
validate_every = 40
batch_tokens = 512
warmup = 10
learning_rate = 0.02
metric = "loss"
average = 1
device = "cpu"
precision = "float32"
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in this process: arguments, and bytes for standard input."""

    def run(*arguments: object, stdin: bytes | str = b"") -> Done:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, with its corpus beside it."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "pairs.tsv").write_text("source\ttarget\n" + "".join(f"{a}\t{b}\n" for a, b in PAIRS), encoding="utf-8")
    (folder / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "tiny.toml"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, recipe_file: Path) -> Path:
    """A run of `endash train`, long enough that it writes words and short enough to wait for."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    torch.set_num_threads(1)
    assert main(["train", str(recipe_file), "--out", str(run)]) == 0
    return run


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A model of the same recipe and vocabulary, whose parameters are a little off."""
    other = Model.load(model)
    generator = torch.Generator().manual_seed(7)
    for parameter in other.network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    folder = tmp_path_factory.mktemp("models") / "other"
    other.save(folder)
    return folder
