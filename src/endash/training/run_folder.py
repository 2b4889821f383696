"""The folder of a run: who may write in it, and whether it is the run that one means.

recipe.toml     the resolved recipe         metrics.jsonl   the figures, a line each
text/  pairs/   vocabularies, translation   tensorboard/    the same for TensorBoard
                memory                      checkpoints/    from which the run goes on
examples/       the tokenised corpus        model/          the best model so far
teacher/        what a teacher wrote, where the recipe has one
"""

from __future__ import annotations

import filecmp
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endash.errors import TrainingError
from endash.files import mend, remove, write_text
from endash.training.config import FREE_ON_RESUME

if TYPE_CHECKING:
    from endash.recipe import Recipe

_RECIPE, _LOCK = "recipe.toml", ".lock"
_MADE = ("text", "pairs", "teacher", "examples", "checkpoints", "model", "tensorboard", "metrics.jsonl")


@contextmanager
def run_folder(recipe: Recipe, out: Path, *, resume: bool) -> Iterator[Path]:
    """The folder `out`, for this process alone, ready for a new run or for going on with the one in it.

    Raises TrainingError if it holds a run and `resume` was not asked for, holds none and it was, is being trained in by
    another process, or holds a run of another recipe. Until then nothing in it is touched.
    """
    _check(recipe, out, resume=resume)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = open(out / _LOCK, "a", encoding="utf-8")  # noqa: SIM115  (held until the run ends)
    except OSError as error:
        raise TrainingError(f"--out {out} cannot be written to: {error.strerror}; give another folder") from error
    with lock:
        _lock(lock, out)
        if not resume:
            for name in _MADE:
                remove(out / name)
        for folder in (out, out / "examples"):
            mend(folder)
        write_text(out / _RECIPE, recipe.to_toml())
        yield out


def _check(recipe: Recipe, out: Path, *, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise TrainingError(f"--out {out} is a file: give the name of a folder for the run")
    locked = (out / _LOCK).exists()
    copied = (out / "checkpoints").exists()  # a copy may lack the hidden file
    if resume and not ((locked or copied) and (out / _RECIPE).exists()):
        raise TrainingError(f"--resume: there is no run in {out}; check --out, or leave out --resume to begin one")
    if resume:
        _check_same(recipe, out)
    elif any((out / "checkpoints").glob("step-*")):
        raise TrainingError(f"{out} holds a run already: go on with it by --resume, or give another folder with --out")
    elif not locked and out.exists() and any(out.iterdir()):
        raise TrainingError(f"--out {out} is not empty and holds no run: give a new folder")


def _check_same(recipe: Recipe, out: Path) -> None:
    """Raises TrainingError naming the settings in which `recipe` differs from the run's, apart from when it ends."""
    try:
        former = _flat(tomllib.loads((out / _RECIPE).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TrainingError(f"--resume: {out / _RECIPE} cannot be read ({error}): bring it back from a copy") from error
    now = _flat(tomllib.loads(recipe.to_toml()))
    free = {f"training.{name}" for name in FREE_ON_RESUME}
    changed = sorted(
        key
        for key in (former.keys() | now.keys()) - free
        if former.get(key) != now.get(key) and not _moved(former.get(key), now.get(key))
    )
    if changed:
        lines = [f"  {key}: {former.get(key, 'not set')} in the run, {now.get(key, 'not set')} now" for key in changed]
        raise TrainingError(
            f"--resume: the run in {out} has another recipe:\n" + "\n".join(lines) + "\n"
            f"take these back, or begin a run in another folder; only {', '.join(sorted(free))} may change"
        )


def _moved(former: object, now: object) -> bool:
    """True if two paths of a corpus lead to one file: that of the run is gone, or the other holds the same."""
    if not (isinstance(former, str) and isinstance(now, str) and os.path.isabs(former) and os.path.isabs(now)):
        return False
    if os.path.basename(former) != os.path.basename(now):
        return False
    if not os.path.exists(former):
        return True
    return os.path.isfile(former) and os.path.isfile(now) and filecmp.cmp(former, now, shallow=False)


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            flat |= _flat({str(number): item for number, item in enumerate(value)}, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _lock(file: Any, out: Path) -> None:
    """Take the lock of a run, which the system gives back when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise TrainingError(f"another process is training in {out}: wait for it, or give another folder") from None
