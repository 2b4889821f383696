"""Parts of one's own, from files that a recipe names. Each runs in a process of its own: what is registered stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from string import ascii_lowercase

import pytest

from endash.errors import RecipeError
from endash.plugins import load_plugin, plugin_of

PLUGIN = '''
from typing import Literal
from endash.links import links
from endash.links.dot import Dot, DotConfig
from endash.config import Config

class MineConfig(Config):
    kind: Literal["mine"] = "mine"

@links.register
class Mine(Dot):
    """A dot of my own."""

    Config = MineConfig
'''
RECIPE = """
name = "own"
plugins = ["parts/mine.py"]
corpus = { train = { kind = "tsv", path = "pairs.tsv" }, split = { valid = 0.2 } }
text = { size = 320 }
encoder = { kind = "gru", width = 8, layers = 1 }
link = { kind = "mine" }
decoder = { kind = "gru", width = 8, layers = 1 }
training = { max_steps = 1, metric = "loss" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "mine.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "own.toml").write_text(RECIPE, encoding="utf-8")
    rows = "".join(f"word {letter}\tWort {letter}\n" for letter in ascii_lowercase)
    (tmp_path / "pairs.tsv").write_text(f"source\ttarget\n{rows}", encoding="utf-8")
    return tmp_path


def endash(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`arguments` to the command line, from another folder than the recipe's."""
    source = Path(__file__).parents[1] / "src"
    return subprocess.run(
        [sys.executable, "-m", "endash", *arguments],
        cwd=folder / "parts",
        env=os.environ | {"PYTHONPATH": str(source)},
        input="word a\n",
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_recipe_runs_its_plugins_and_a_model_runs_none_unasked(folder: Path) -> None:
    trained = endash(folder, "train", "../own.toml", "--out", "../run")
    assert trained.returncode == 0, trained.stderr
    plugin = str(folder / "parts" / "mine.py")
    refused = endash(folder, "translate", "../run")
    assert refused.returncode == 2
    assert 'link.kind: "mine" is unknown' in refused.stderr
    assert f"say endash --plugin {plugin} …, or endash.load_plugin({plugin!r})" in refused.stderr
    translated = endash(folder, "--plugin", "mine.py", "translate", "../run")
    assert (translated.returncode, translated.stdout.count("\n")) == (0, 1), translated.stderr
    resumed = endash(folder, "train", "../own.toml", "--out", "../run", "--resume")
    assert resumed.returncode == 0, resumed.stderr


def test_set_names_a_plugin_from_the_working_directory(folder: Path) -> None:
    (folder / "own.toml").write_text(RECIPE.replace('plugins = ["parts/mine.py"]', ""), encoding="utf-8")
    assert endash(folder, "recipe", "check", "../own.toml").returncode == 2
    assert endash(folder, "recipe", "check", "../own.toml", "--set", 'plugins=["mine.py"]').returncode == 0


def test_what_is_wrong_with_a_plugin_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"plugin .*nowhere\.py: there is no such file; name a Python file"):
        load_plugin(tmp_path / "nowhere.py")
    broken = tmp_path / "broken.py"
    for code, message in {
        "x = 1\ny = x / 0\n": r"broken\.py, line 2: ZeroDivisionError: division by zero",
        "import nothing_of_this_name\n": r"broken\.py, line 1: ModuleNotFoundError: No module named",
        "def f(:\n": r"broken\.py, line 1: SyntaxError: ",
    }.items():
        broken.write_text(code, encoding="utf-8")
        with pytest.raises(RecipeError, match=message):
            load_plugin(broken)
    (tmp_path / "text.txt").write_text("", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"text\.txt is no Python file: its name has to end in \.py"):
        load_plugin(tmp_path / "text.txt")


def test_an_error_in_a_plugin_is_not_called_a_bug_of_ours(folder: Path) -> None:
    broken = (
        PLUGIN
        + """
    def __init__(self, *_, **__):
        raise ZeroDivisionError("here")
"""
    )
    (folder / "parts" / "mine.py").write_text(broken, encoding="utf-8")
    done = endash(folder, "train", "../own.toml", "--out", "run")
    assert done.returncode == 1
    assert "ZeroDivisionError: here" in done.stderr
    assert f"endash: this went wrong in the plugin {folder / 'parts' / 'mine.py'}, line 17: mend it" in done.stderr
    assert "bug of ours, not" not in done.stderr


def test_the_plugin_of_an_error_is_the_last_one_on_its_way(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def call(what):\n    return what()\n", encoding="utf-8")
    load_plugin(tmp_path / "one.py")
    [one] = [module for module in sys.modules.values() if getattr(module, "__file__", None) == str(tmp_path / "one.py")]
    with pytest.raises(ZeroDivisionError) as caught:
        one.call(lambda: 1 // 0)
    assert plugin_of(caught.value) == f"{tmp_path / 'one.py'}, line 2"
    with pytest.raises(ZeroDivisionError) as caught:
        1 // 0  # noqa: B018
    assert plugin_of(caught.value) is None
