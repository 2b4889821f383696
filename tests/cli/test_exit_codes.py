"""Exit codes, and what stands on standard error."""

from __future__ import annotations

import keyword
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import endash
from endash.cli import train
from endash.cli.run import build_parser
from endash.errors import CorpusError

Cli = Callable[..., Any]
COMMANDS = (
    "recipe",
    "train",
    "distill",
    "translate",
    "score",
    "evaluate",
    "quicken",
    "encode",
    "decode",
    "sample",
    "look",
    "import",
    "export",
)


def test_no_heavy_module_is_imported_for_help() -> None:
    code = (
        "import sys, endash; from endash.cli.run import build_parser; build_parser().format_help();"
        "heavy = {'torch', 'numpy', 'sklearn', 'lxml', 'matplotlib', 'sacrebleu', 'sentencepiece', 'rich', 'tensorboardX'};"
        "print(*heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")


@pytest.mark.parametrize("command", [(), *[(name,) for name in COMMANDS], ("recipe", "list"), ("recipe", "show")])
def test_every_help_has_an_example(command: tuple[str, ...], cli: Cli) -> None:
    done = cli(*command, "--help")
    assert done.code == 0
    assert "\nexample:\n  " in done.out
    assert " ".join(("endash", *command)) in done.out.partition("example:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_understood(name: str) -> None:
    examples = (
        str(sys.modules[f"endash.cli.{name}{'_' if keyword.iskeyword(name) else ''}"].__doc__)
        .partition("example:\n")[2]
        .splitlines()
    )
    commands = [shlex.split(line)[shlex.split(line).index("endash") + 1 :] for line in examples]
    assert name in {command[0] for command in commands}
    for command in commands:
        assert build_parser().parse(command).parser.prog.startswith(f"endash {command[0]}")


def test_the_version_is_the_package_s(cli: Cli) -> None:
    done = cli("--version")
    assert (done.code, done.out) == (0, f"endash {endash.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message", "see"),
    [
        (
            ["trian"],
            "unknown command 'trian': did you mean 'train'? allowed: decode, distill, encode, ",
            "endash --help",
        ),
        ([], "the following arguments are required: COMMAND", "endash --help"),
        (["train", "x.toml"], "the following arguments are required: --out", "endash train --help"),
        (
            ["translate", "m", "--bem", "3"],
            "unknown option --bem: did you mean '--beam'? allowed: ",
            "endash translate --help",
        ),
        (
            ["translate", "m", "hello"],
            "'hello' is one argument too many: a text with spaces",
            "endash translate --help",
        ),
        (
            ["translate", "m", "--beam", "0"],
            "argument --beam: '0' is not a whole number from 1",
            "endash translate --help",
        ),
        (
            ["recipe", "list", "lnks"],
            "unknown role 'lnks': did you mean 'links'? allowed: ",
            "endash recipe list --help",
        ),
        (
            ["recipe", "lst"],
            "unknown action 'lst': did you mean 'list'? allowed: check, list, show",
            "endash recipe --help",
        ),
    ],
)
def test_wrong_arguments_are_answered_with_the_nearest(arguments: list[str], message: str, see: str, cli: Cli) -> None:
    done = cli(*arguments)
    first, second = done.err.splitlines()
    assert done.code == 2
    assert first.startswith(f"endash: error: {message}")
    assert second == f"see: {see}"


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (CorpusError("no such file"), 2, "endash: error: no such file\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "endash: error: /x: Permission denied\n"),
        (OSError(28, "No space left on device"), 2, "endash: error: No space left on device\n"),
        (KeyboardInterrupt(), 130, "endash: interrupted\n"),
        (KeyboardInterrupt("saved in runs/x"), 130, "endash: saved in runs/x\n"),
    ],
)
def test_exit_codes(problem: BaseException, code: int, message: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "run", _raising(problem))
    done = cli("train", "x.toml", "--out", "y")
    assert (done.code, done.err) == (code, message)


def test_a_bug_shows_its_traceback_and_asks_for_a_report(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "run", _raising(ZeroDivisionError("oh")))
    done = cli("train", "x.toml", "--out", "y")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "ZeroDivisionError: oh" in done.err
    assert done.err.splitlines()[-1].startswith("endash: this is a bug of ours")


@pytest.mark.parametrize("arguments", [["--help"], ["recipe", "list", "readers"]])
def test_a_reader_that_has_enough_is_no_error(arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "endash", *arguments], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["recipe", "list", "readers"]])
def test_a_full_disk_is_told(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "endash", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "endash: error: standard output: No space left on device\n")


@pytest.mark.parametrize(("closed", "out", "err"), [("<&-", True, False), (">&-", False, False), ("2>&-", True, False)])
def test_a_stream_that_is_closed_is_no_traceback(closed: str, out: bool, err: bool) -> None:
    command = f"{shlex.quote(sys.executable)} -m endash recipe list readers {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, bool(done.stdout), bool(done.stderr)) == (0, out, err)


def test_errors_do_not_go_to_standard_output_where_standard_error_is_closed() -> None:
    command = f"{shlex.quote(sys.executable)} -m endash recipe show none.toml 2>&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def _raising(problem: BaseException) -> object:
    def run(args: object) -> None:
        raise problem

    return run
