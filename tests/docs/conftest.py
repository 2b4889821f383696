from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from blocks import README, blocks

from endash.cli import main

NOUNS = {"light": "Licht", "door": "Tür", "fan": "Lüftung", "lock": "Schloss", "lamp": "Lampe", "heater": "Heizung"}
VERBS = {"Turn off the {}": "{} ausschalten", "Turn on the {}": "{} einschalten", "Open the {}": "{} öffnen"}
VERBS |= {"Close the {}": "{} schließen", "The {} is new": "{} ist neu", "The {} is old": "{} ist alt"}
PAIRS = [(en.format(a), de.format(b)) for en, de in VERBS.items() for a, b in NOUNS.items()]
TINY = (
    *("text.size=340", "encoder.width=16", "encoder.layers=1", "encoder.feed_forward=16"),
    *("decoder.width=16", "decoder.layers=1", "decoder.feed_forward=16"),
    *("training.max_steps=30", "training.validate_every=30", "training.warmup=10", "training.learning_rate=0.02"),
    *("training.batch_tokens=512", "training.precision=float32", "corpus.split={valid=0.1}"),
)


@pytest.fixture
def endash(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a command in this process, a training on a tiny scale; gives its exit code."""

    def run(argv: list[str], stdin: bytes = b"") -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        return main(argv + scale(argv))

    return run


def scale(argv: list[str]) -> list[str]:
    return [word for setting in TINY for word in ("--set", setting)] if argv[0] == "train" else []


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of which the pages speak, the README's recipe and a tiny model trained from it."""
    folder = tmp_path_factory.mktemp("workshop")
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    (folder / "pairs.tsv").write_text(f"en\tde\n{rows}", encoding="utf-8")
    (folder / "test.tsv").write_text(f"en\tde\n{rows[:200].rpartition(chr(10))[0]}\n", encoding="utf-8")
    (folder / "app.po").write_text('msgid "Open the door"\nmsgstr ""\n', encoding="utf-8")
    [recipe] = blocks(README, "toml")
    (folder / recipe.file).write_text(recipe.code, encoding="utf-8")
    torch.set_num_threads(1)
    train = ["train", str(folder / recipe.file), "--out", str(folder / "runs" / "demo")]
    assert main(train + scale(train)) == 0
    return folder
