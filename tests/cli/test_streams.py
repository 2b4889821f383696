"""Standard input as lines, and standard output as lines."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from endash.cli import decode, encode, score, translate
from endash.cli.streams import read_lines


def test_a_byte_order_mark_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.BytesIO("\ufeffone\r\n\ufefftwo".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given, encoding="utf-8"))
    assert list(read_lines()) == ["one", "\ufefftwo"]


@pytest.mark.parametrize("command", ["translate", "encode", "decode", "score"])
def test_every_line_is_counted_in_the_progress(
    command: str, cli: Callable[..., Any], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("encode", model, "--out", tmp_path / "memory", stdin="on\noff\n")
    told: list[int] = []

    @contextmanager
    def counting(*_: object, **__: object) -> Iterator[Callable[[int], None]]:
        yield told.append

    module = {"translate": translate, "encode": encode, "decode": decode, "score": score}[command]
    monkeypatch.setattr(module, "progress", counting)
    more = {"encode": ["--out", tmp_path / "new"], "decode": [tmp_path / "memory"]}.get(command, [])
    assert cli(command, model, *more, stdin="on\ta\noff\tb\n" if command == "score" else "on\noff\n").code == 0
    assert sum(told) == 2


def test_a_line_that_is_too_long_is_named(cli: Callable[..., Any], model: Path, tmp_path: Path) -> None:
    long = "The door " + "and the door " * 30
    for command, more in (("translate", []), ("encode", ["--out", tmp_path / "x"]), ("score", [])):
        pairs = "".join(f"{line}\ta\n" if command == "score" else f"{line}\n" for line in [*["on"] * 600, long])
        done = cli(command, model, *more, stdin=pairs)
        assert done.code == 2
        assert done.err.startswith("endash: error: standard input, line 601: ")
    (tmp_path / "a.tsv").write_text(f"source\ttarget\non\tan\n{long}\tx\n", encoding="utf-8")
    done = cli("evaluate", model, tmp_path / "a.tsv")
    assert done.code == 0
    assert "1 of 2 records are longer than a model takes, and are left out, first" in " ".join(done.out.split())
    assert "a.tsv:3" in "".join(done.out.split())
