"""What the pages show is run: Python, recipes, commands and the errors they cite."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import pytest
from blocks import PAGES, README, ROOT, blocks

import marian_checkpoints
from endash.cli import main
from endash.cli.run import build_parser
from endash.config import Config
from endash.corpora import Corpus, CorpusConfig
from endash.corpora.corpus import SplitConfig
from endash.decoders import decoders
from endash.decoding.config import DecodingConfig
from endash.encoders import encoders
from endash.evaluation.metrics import NAMES
from endash.frontends import frontends
from endash.heads import HeadConfig
from endash.links import links
from endash.recipe import Recipe, TrainedConfig
from endash.retrieval import RetrievalConfig
from endash.tasks import LabelTask, Task, tasks
from endash.text import TextConfig
from endash.training.config import DistillationConfig, TrainingConfig

TASK = ROOT / "docs" / "write-a-task.md"
CHINESE = ROOT / "README.zh-CN.md"
EVERY_PAGE = [README, CHINESE, *PAGES]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
every_page = pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)


def commands(page: Path) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.code.splitlines() if line]


@each_page
def test_python_runs(page: Path, tmp_path: Path) -> None:
    """In a process of its own, for a page may register parts."""
    script = []
    for block in blocks(page, "python"):
        if block.file:
            (tmp_path / block.file).write_text(block.code, encoding="utf-8")
        else:
            script.append(block.code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(tmp_path)])}
    command = [sys.executable, "-W", "error", "-c", "\n".join(script)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("page", "file", "lines"),
    [
        ("write-a-link", "cosine.py", 60),
        ("write-a-link", "window.py", 40),
        ("write-a-task", "restoring.py", 35),
        ("write-a-task", "asking.py", 30),
    ],
)
def test_the_parts_to_write_are_short(page: str, file: str, lines: int) -> None:
    [part] = [block for block in blocks(ROOT / "docs" / f"{page}.md", "python") if block.file == file]
    assert len(part.code.splitlines()) < lines


def test_a_task_of_one_s_own_is_trained_and_asked_as_its_page_says(tmp_path: Path) -> None:
    """From the files that the page shows and the first Python in it, which makes the data; each command is a process of its own."""
    shim = tmp_path / "bin" / "endash"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -W error -m endash "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    path = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.pathsep.join([str(shim.parent), os.environ["PATH"]])}

    def run(*command: str) -> str:
        done = subprocess.run(command, env=os.environ | path, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown, answered = blocks(TASK), ""
    for block in shown:
        if block.file:
            (tmp_path / block.file).write_text(block.code, encoding="utf-8")
    run(sys.executable, "-c", next(block.code for block in shown if block.language == "python" and not block.file))
    for block in shown:
        if block.language == "sh":
            answered = run("sh", "-e", "-c", block.code)
        elif block.language == "text":
            assert answered.endswith(f"\n{block.code}")
            answered = ""
    assert [block.language for block in shown].count("text") == 2


def test_the_page_on_tasks_tells_the_whole_contract() -> None:
    page = TASK.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)", page, flags=re.MULTILINE)
    members = {name for name in dir(LabelTask) if not name.startswith("_")} | {"Config"}
    assert sorted(rows) == sorted(members)
    values = dict(re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", page, flags=re.MULTILINE))
    assert {name: getattr(Task, name) for name in values} == {name: literal_eval(told) for name, told in values.items()}
    assert set(re.findall(r"`([\w-]+)`", page.partition("**`metrics` are names**")[2].partition(". ")[0])) == set(NAMES)


def test_the_page_on_tasks_gives_signatures_as_they_are() -> None:
    rows = re.findall(r"^\| `(\w+)\(([^)]*)\)` \|", TASK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(rows) > 15
    for name, told in rows:
        parameters = list(inspect.signature(getattr(LabelTask, name)).parameters.values())[1:]
        bare = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
        assert str(inspect.Signature(bare)) == f"({told})", name


def test_a_row_of_many_languages_is_in_one_part(tmp_path: Path) -> None:
    rows = "".join(f"a {n} dog\tein {n} Hund\tun {n} chien\n".replace(str(n), chr(200 + n)) for n in range(99))
    (tmp_path / "captions.tsv").write_text(f"en\tde\tfr\n{rows}", encoding="utf-8")
    [shown] = blocks(ROOT / "docs" / "tasks" / "translation.md", "toml")
    corpus = Recipe.parse(shown.code, folder=tmp_path).corpus
    assert {one.family for one in Corpus(corpus, "train")} == {"en-de", "en-fr", "de-fr"}, "figures of each direction"
    parts = [{one.where for one in Corpus(corpus, part)} for part in ("train", "valid", "test")]  # type: ignore[arg-type]
    assert [len(one & other) for one, other in combinations(parts, 2)] == [0, 0, 0]


@pytest.mark.parametrize("page", [README], ids=["README"])
def test_commands_run(page: Path, workshop: Path, monkeypatch: pytest.MonkeyPatch, endash: Callable[..., int]) -> None:
    """As they stand, one after the other, where files and a model of the names they use are at hand."""
    monkeypatch.chdir(workshop)
    for line in commands(page):
        before, _, command = line.rpartition("endash ")
        if line.startswith("make "):
            target = line.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
            continue
        producer = before.strip().removesuffix("|")
        given = subprocess.run(["sh", "-c", producer], capture_output=True, check=True).stdout if producer else b""
        assert endash(shlex.split(command, comments=True), given) == 0, line
    for made in ("app.de.po", "light.memory", "light.html", "light.png"):
        assert (workshop / made).is_file()


def test_the_readme_s_python_runs(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop)
    for block in blocks(README, "python"):
        names: dict[str, object] = {}
        exec(compile(block.code, str(README), "exec"), names)
        assert names["model"].decode(names["again"]) == names["model"](list(names["memory"].sources))  # type: ignore[attr-defined]


def test_the_commands_of_interop_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a checkpoint of the name that they use; what another library must be there for is left out where it is not."""
    monkeypatch.chdir(tmp_path)
    marian_checkpoints.write(tmp_path / "marian")
    rows = "".join(f"{one} {two}\t{two}\n" for one in marian_checkpoints.TEXTS for two in marian_checkpoints.WORDS)
    for name in ("pairs.tsv", "test.tsv"):
        (tmp_path / name).write_text(f"source\ttarget\n{rows[:600].rpartition(chr(10))[0]}\n", encoding="utf-8")
    for line in commands(ROOT / "docs" / "interop.md"):
        before, _, command = line.rpartition("endash ")
        argv = shlex.split(command)
        if argv[0] == "export" and find_spec("ctranslate2") is None:
            continue
        given = before.partition('"')[2].rpartition('"')[0].encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        assert main(argv + (["--set", "training.max_steps=2"] if argv[0] == "train" else [])) == 0, line


@every_page
def test_commands_parse(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those in the text too, in which [ ] stand around what may be left out, and capitals for what a user puts in; a
    single word there is a command's name."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`endash ([^`]+)`", text)
    shown = [line.rpartition("endash ")[2] for line in commands(page) if "endash " in line]
    for command in [*(one if " " in one else f"{one} --help" for one in named), *shown]:
        argv = ["1" if word == "N" else word for word in shlex.split(re.sub(r"[\[\]]", "", command), comments=True)]
        code: object = 0
        try:
            build_parser().parse(argv)
        except SystemExit as end:
            code = end.code
        assert code == 0, f"{page.name}: endash {command}: {capsys.readouterr().err}"


def test_the_readme_names_every_command() -> None:
    told = set(re.findall(r"^\| `endash (\w+)", README.read_text(encoding="utf-8"), flags=re.MULTILINE))
    [choices] = [action.choices for action in build_parser()._actions if action.choices]
    assert told == set(choices)


def test_both_readmes_show_the_same() -> None:
    assert blocks(CHINESE) == blocks(README)
    commands_in_tables = [
        re.findall(r"^\| `([^`]+)`", page.read_text(encoding="utf-8"), flags=re.MULTILINE) for page in EVERY_PAGE[:2]
    ]
    assert commands_in_tables[0] == commands_in_tables[1]


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


@each_page
def test_sessions_show_what_is_said(
    page: Path,
    workshop: Path,
    monkeypatch: pytest.MonkeyPatch,
    endash: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A `console` block is commands after `$`, each with all that it prints."""
    monkeypatch.chdir(workshop)
    for block in blocks(page, "console"):
        for session in re.split(r"^\$ endash ", block.code, flags=re.MULTILINE)[1:]:
            command, _, expected = session.partition("\n")
            endash(shlex.split(command))
            said = capsys.readouterr()
            assert said.out + said.err == expected


RECIPES = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
TRANSFORMER = (encoders.config("transformer"), decoders.config("transformer"))
RECURRENT = tuple(registry.config(kind) for kind in ("lstm", "gru") for registry in (encoders, decoders))
SECTIONS = [
    ("## The recipe itself", (Recipe,)),
    *((f'`kind = "{kind}"`:', (tasks.config(kind),)) for kind in ("tagging", "captioning", "prompting")),
    *((f'`kind = "{kind}"`:', (frontends.config(kind),)) for kind in ("audio", "image")),
    ("## `[corpus]`", (CorpusConfig,)),
    ("## `[corpus.split]`", (SplitConfig,)),
    ("## `[text]`", (TextConfig,)),
    ('`kind = "transformer"`:', TRANSFORMER),
    ('`kind = "ssru"`', (decoders.config("ssru"),)),
    ('`kind = "mask-predict"`', (decoders.config("mask-predict"),)),
    ('`kind = "lstm"` and `kind = "gru"`:', RECURRENT),
    ('`kind = "cross-attention"`', (links.config("cross-attention"),)),
    ('`kind = "additive"`', (links.config("additive"),)),
    ('`kind = "gated"`', (links.config("gated"),)),
    ('`kind = "multi"`', (links.config("multi"),)),
    ('`kind = "conformer"`', (encoders.config("conformer"),)),
    ('`kind = "pretrained"`', (encoders.config("pretrained"),)),
    ('`kind = "variational"`', (encoders.config("variational"),)),
    ("## `[head]`", (HeadConfig,)),
    ("## `[training]`", (TrainingConfig,)),
    ("## `[decoding]`", (DecodingConfig,)),
    ("## `[retrieval]`", (RetrievalConfig,)),
    ("## `[trained]`", (TrainedConfig,)),
    ("## `[distillation]`", (DistillationConfig,)),
]


@pytest.mark.parametrize(("place", "configs"), SECTIONS, ids=[place for place, _ in SECTIONS])
def test_the_tables_of_keys_are_the_settings(place: str, configs: tuple[type[Config], ...]) -> None:
    """The first table behind `place` has each key of the settings, with its default."""
    table = re.search(r"(^\|[^\n]*\n)+", RECIPES.partition(f"\n{place}")[2], flags=re.MULTILINE)
    assert table
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]
    told = {row[0].strip("`"): row[1] for row in rows}
    fields = {name: field for config in configs for name, field in config.model_fields.items() if name != "kind"}
    assert list(told) == list(fields)
    for name, field in fields.items():
        if field.is_required():
            assert told[name] == "needed", name
        elif configs == (Recipe,) and name in {"link", "decoder"}:
            assert told[name].startswith("needed"), name
        elif field.default is None or field.default == ():
            assert told[name] == "–", name
        elif isinstance(field.default, str | int | float):
            assert told[name] == f"`{json.dumps(field.default)}`", name


def test_every_kind_of_part_is_in_the_page() -> None:
    for kind in {*encoders, *links, *decoders}:
        assert f'`kind = "{kind}"`' in RECIPES
