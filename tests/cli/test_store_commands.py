"""`endash encode --store` and `endash decode --store`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endash import MemoryStore

Cli = Callable[..., Any]
LINES = "The door is on.\n\nThe light is off.\n"


def test_a_corpus_is_stored_once_and_decoded_to_the_same_words(cli: Cli, model: Path, recipe_file: Path) -> None:
    corpus = recipe_file.parent / "pairs.tsv"
    first = cli("encode", model, corpus, "--store", "memories")
    assert (first.code, first.out) == (0, "")
    assert "memories: 42 memories added, 42 in " in first.err
    assert "memories: 0 memories added, 42 in " in cli("encode", model, corpus, "--store", "memories").err
    sources = "".join(f"{line.split(chr(9))[0]}\n" for line in corpus.read_text(encoding="utf-8").splitlines()[1:])
    done = cli("decode", model, "--store", "memories", stdin=sources)
    assert (done.code, done.err) == (0, "")
    assert done.out == cli("translate", model, stdin=sources).out


def test_lines_that_are_not_stored_are_encoded_and_stored(cli: Cli, model: Path) -> None:
    cli("encode", model, "--store", "memories", stdin="The door is on.\n")
    done = cli("decode", model, "--store", "memories", "--beam", 1, stdin=LINES)
    assert done.out == cli("translate", model, "--beam", 1, stdin=LINES).out
    assert len(MemoryStore("memories")) == 3


def test_a_memory_file_holds_a_corpus_too(cli: Cli, model: Path, recipe_file: Path) -> None:
    assert "42 lines" in cli("encode", model, recipe_file.parent / "pairs.tsv", "--out", "all.memory").err
    assert len(cli("decode", model, "all.memory", "--beam", 1).out.splitlines()) == 42


def test_a_new_store_is_kept_in_fewer_bits_and_bytes(cli: Cli, model: Path, recipe_file: Path) -> None:
    corpus = recipe_file.parent / "pairs.tsv"
    assert "int8" in cli("encode", model, corpus, "--store", "small", "--precision", "int8").err
    other = cli("encode", model, corpus, "--store", "small", "--precision", "float16")
    assert other.code == 2
    assert "small holds memories in int8, and float16 was asked for" in other.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["encode", "MODEL"], "one of the arguments --out --store is required"),
        (["encode", "MODEL", "--out", "x", "--precision", "int8"], "--precision and --max-megabytes are settings of a"),
        (["encode", "MODEL", "--store", "s", "--precision", "int4"], "unknown precision 'int4'"),
        (["encode", "MODEL", "none.tsv", "--store", "s"], "none.tsv"),
        (["decode", "MODEL"], "give a memory file, or --store FOLDER"),
        (["decode", "MODEL", "x", "--store", "s"], "give a memory file, or --store FOLDER"),
        (["decode", "MODEL", "--store", "s"], "s: there is no memory store; make one with `endash encode"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(arguments: list[str], said: str, cli: Cli, model: Path) -> None:
    done = cli(*(str(model) if one == "MODEL" else one for one in arguments), stdin=LINES)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert os.listdir() == []


def test_a_source_that_is_too_long_is_named_by_its_place(cli: Cli, model: Path) -> None:
    long = "The door is on and the door is on " * 30
    assert "standard input, line 2: " in cli("encode", model, "--store", "s", stdin=f"a\n{long}\n").err
    Path("long.tsv").write_text(f"source\ttarget\na\tb\n{long}\tb\n", encoding="utf-8")
    done = cli("encode", model, "long.tsv", "--store", "s")
    assert done.code == 2
    assert "long.tsv:3: " in done.err
