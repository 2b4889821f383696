"""The project itself: what `import endash` gives, and how it is installed, checked and tested."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import endash

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

FAKE_PYTHON = """#!/bin/sh
# Stands for a Python: writes down what it is asked for, and fails to install what FAILING names.
[ "$1" = -c ] && case "$2" in *version_info*) exit "${TOO_OLD:-0}";; *metadata*) exit "${NO_TORCH:-1}";; esac
echo "$*" >> "$LOG"
[ "$2" = venv ] && mkdir -p "$4/bin" && cp "$0" "$4/bin/python"
for word in $FAILING; do case "$*" in *"$word"*) exit 1;; esac; done
exit 0
"""


def test_import_is_light_and_lazy() -> None:
    heavy = "{'torch', 'numpy', 'pydantic', 'sklearn', 'lxml', 'matplotlib', 'sacrebleu', 'sentencepiece', 'rich'}"
    code = f"import sys, endash; dir(endash); print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_every_public_name_is_there() -> None:
    assert dir(endash) == sorted(endash.__all__)
    for name in endash.__all__:
        assert getattr(endash, name) is not None
    with pytest.raises(
        AttributeError,
        match=r"no attribute .laod.: it has Engine, LabelModel, Memory, MemoryStore, Model, Recipe, __version__, load, load_plugin, train",
    ):
        endash.laod  # noqa: B018


def test_python_dash_m_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "endash", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"endash {endash.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "endash", "trian"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_the_package_says_one_version_and_licence() -> None:
    assert PROJECT["project"]["version"] == endash.__version__
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
    assert (ROOT / "src" / "endash" / "py.typed").is_file()


def test_what_is_imported_is_declared() -> None:
    """Every library that the package imports is a dependency, or an extra that is imported only where it is used."""
    names = {"tomli_w": "tomli-w", "pydantic_core": "pydantic", "PIL": "pillow"}
    project = PROJECT["project"]
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    allowed = {re.split(r"[<>=\[]", one)[0] for one in declared} | set(sys.stdlib_module_names) | {"endash"}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            modules += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            for found in {str(module).partition(".")[0] for module in modules}:
                assert names.get(found, found) in allowed, f"{path} imports {found}"


def test_every_room_stands_in_the_layers() -> None:
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = set(re.findall(r"\w+", " ".join(contract["layers"])))
    rooms = {path.stem for path in (ROOT / "src" / "endash").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert rooms - {"__init__", "__pycache__"} <= layers
    assert contract["exhaustive"]


def test_continuous_integration_runs_what_developers_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("make --no-print-directory test")
    told = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    steps = [line for line in told.splitlines() if line.startswith(".venv/bin/")]
    assert [re.sub(r"^\.venv/bin/(python -m )?", "", step).split()[0] for step in steps] == [
        "ruff",
        "ruff",
        "mypy",
        "lint-imports",
        "pytest",
    ]


def test_make_help_tells_every_target() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("test", "demo", "slow", "install", "format"):
        assert re.search(rf"^make {target} +\w", told, flags=re.MULTILINE)


def install(folder: Path, **environment: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What scripts/install.sh does with a Python that only writes down what it is asked for."""
    log = folder / "log"
    log.unlink(missing_ok=True)
    python = folder / "python"
    python.write_text(FAKE_PYTHON, encoding="utf-8")
    python.chmod(0o755)
    variables = {"PATH": os.environ["PATH"], "LOG": str(log), "FAILING": "", **environment}
    command = ["sh", str(ROOT / "scripts" / "install.sh"), ".venv", str(python)]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done, log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def torch_lines(log: list[str]) -> list[str]:
    return [line.partition("pip install ")[2] for line in log if "torch" in line]


linux = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux are there builds to choose from")


@linux
def test_install_takes_the_cpu_build_of_the_index(tmp_path: Path) -> None:
    done, log = install(tmp_path)
    assert done.returncode == 0
    assert [line.split()[-1] for line in torch_lines(log)] == ["torch==2.13.0+cpu"]
    assert log[-1].endswith("--editable .[pictures] --group dev")
    assert (tmp_path / ".venv" / ".installed").read_text(encoding="utf-8") == f"{tmp_path.resolve()}\n"


@linux
def test_install_looks_for_a_cpu_build_elsewhere_before_it_takes_a_large_one(tmp_path: Path) -> None:
    done, log = install(tmp_path, FAILING="+cpu")
    assert done.returncode == 0
    first, second, third = torch_lines(log)
    assert first.endswith("torch==2.13.0+cpu")
    assert "--index-url https://download.pytorch.org/whl/cpu" in second
    assert third.endswith("torch==2.13.0")
    assert "no CPU build was found" in done.stderr


@linux
def test_install_leaves_a_torch_that_fits_alone(tmp_path: Path) -> None:
    _, log = install(tmp_path, NO_TORCH="0")
    assert torch_lines(log) == []
    _, log = install(tmp_path, NO_TORCH="0", TORCH="torch==2.14.1")
    assert torch_lines(log)[0].endswith("torch==2.14.1")


def test_an_interrupted_install_leaves_no_stamp(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").write_text(f"{tmp_path.resolve()}\n", encoding="utf-8")
    done, _ = install(tmp_path, FAILING="--editable")
    assert done.returncode != 0
    assert not (tmp_path / ".venv" / ".installed").exists()


def test_a_moved_environment_is_made_anew(tmp_path: Path) -> None:
    assert install(tmp_path)[0].returncode == 0
    assert not any("-m venv" in line for line in install(tmp_path)[1]), "one that is in place stays"
    (tmp_path / ".venv" / ".installed").write_text("/another/folder\n", encoding="utf-8")
    assert any("-m venv --clear" in line for line in install(tmp_path)[1])


def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    done, log = install(tmp_path, TOO_OLD="1")
    assert (done.returncode, log) == (2, [])
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "make test PYTHON=python3.12" in done.stderr
