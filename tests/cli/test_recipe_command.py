"""endash recipe: show, check and list."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_show_prints_the_resolved_recipe(cli: Cli, recipe_file: Path) -> None:
    done = cli("recipe", "show", recipe_file, "--set", "link={kind='additive'}", "--set", "seed=5")
    shown = tomllib.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (shown["seed"], shown["link"], shown["text"]["model"]) == (5, {"kind": "additive"}, "unigram")


def test_check_says_what_it_found(cli: Cli, recipe_file: Path) -> None:
    done = cli("recipe", "check", recipe_file)
    assert done.code == 0
    assert done.out.startswith(
        f"{recipe_file}: sound: tiny, translation · transformer · cross-attention · transformer, fingerprint "
    )
    done = cli("recipe", "check", recipe_file, "--set", "link.heads=5", "--set", "sed=1")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("endash: error: --set sed: unknown key; did you mean 'seed'?")


@pytest.mark.parametrize(
    ("role", "kind"), [("links", "additive"), ("encoders", "lstm"), ("readers", "tmx"), ("filters", "empty")]
)
def test_list_tells_each_kind_in_a_line(role: str, kind: str, cli: Cli) -> None:
    done = cli("recipe", "list", role)
    assert (done.code, done.err) == (0, "")
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.out.splitlines()}
    assert kind in lines
    assert all(summary[-1] in ".:;" for summary in lines.values())


@pytest.mark.parametrize("role", [[], ["tasks"]])
def test_list_keeps_the_longest_name_and_what_it_is_apart(role: list[str], cli: Cli) -> None:
    lines = [line for line in cli("recipe", "list", *role).out.splitlines() if not line.endswith(":")]
    longest = next(line for line in lines if line.split()[0] == "speech-recognition")
    assert "speech-recognition  A recording" in longest
    assert {line[longest.index("A recording") - 1] for line in lines} == {" "}, "they stand in one column"


def test_list_alone_tells_every_role(cli: Cli) -> None:
    out = cli("recipe", "list").out
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [
        "tasks:",
        "frontends:",
        "encoders:",
        "links:",
        "decoders:",
        "noises:",
        "readers:",
        "filters:",
    ]
