"""endash look: pictures of one translation."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been shown in the browser."""
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    return shown


def test_look_writes_a_page_and_a_picture(cli: Cli, model: Path, tmp_path: Path, opened: list[str]) -> None:
    done = cli("look", model, "The door is on.", "--out", tmp_path / "door.html", "--png")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [str(tmp_path / "door.html"), str(tmp_path / "door.png")]
    page = (tmp_path / "door.html").read_text(encoding="utf-8")
    assert "The door is on." in page
    assert (tmp_path / "door.png").read_bytes()[:4] == b"\x89PNG"
    assert opened == [], "standard output is no terminal here"


def test_look_says_where_it_cannot_write(cli: Cli, model: Path, tmp_path: Path) -> None:
    done = cli("look", model, "The door is on.", "--out", tmp_path / "none" / "x.html")
    assert (done.code, done.out) == (2, "")
    assert "there is no folder" in done.err


@pytest.mark.parametrize("more", [[], ["--png"]])
def test_the_page_is_no_picture(more: list[str], cli: Cli, model: Path, tmp_path: Path) -> None:
    done = cli("look", model, "The door is on.", "--out", tmp_path / "door.png", *more)
    assert (done.code, done.out) == (2, "")
    assert f"name it {tmp_path / 'door.html'}, and --png writes the picture beside it" in done.err
    assert list(tmp_path.iterdir()) == []
