"""Files and folders that are there whole or not at all, also after a crash in the middle of writing them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_WRITING = ".writing"
_FORMER = ".former"


def write_text(path: Path, text: str) -> None:
    """Put `text` at `path`, whole or not at all."""
    with whole_file(path) as writing:
        writing.write_text(text, encoding="utf-8")


def save_tensors(tensors: Mapping[str, Tensor], path: Path, *, notes: Mapping[str, str] | None = None) -> None:
    """Put tensors and `notes` at `path` as safetensors, in a mode that the umask decides. Raises OSError alone.

    safetensors itself makes files that nobody but their owner can read, and has an error of its own for a full disk.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(dict(tensors), path, metadata=dict(notes) if notes is not None else None)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    path.chmod(mode)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write a file at; when the block ends well the file takes the name `path`, all of it on disk.

    What stood at `path` stays until then, and stays for good if the block raises. A link is followed. What is no file but
    a device or a pipe is not replaced: the content is copied into it when the block ends.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _poured(path) as writing:
            yield writing
        return
    target = Path(os.path.realpath(path))
    writing = target.with_name(f".{target.name}.{os.getpid()}{_WRITING}")
    try:
        yield writing
        sync(writing)
        os.replace(writing, target)
    except BaseException:
        writing.unlink(missing_ok=True)
        raise
    sync(target.parent)


@contextmanager
def _poured(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "whole"
        with open(Path(folder) / "whole", "rb") as whole, open(target, "wb") as into:
            shutil.copyfileobj(whole, into)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write in; when the block ends well it takes the name `path`, everything in it on disk.

    What stood at `path` stays until then, and stays for good if the block raises. A link is followed.
    """
    path = Path(os.path.realpath(path))
    writing, former = (path.with_name(f".{path.name}{end}") for end in (_WRITING, _FORMER))
    remove(writing)
    remove(former)
    writing.mkdir(parents=True)
    try:
        yield writing
        for inside in sorted(writing.rglob("*")):
            sync(inside)
        sync(writing)
        if path.exists():
            os.replace(path, former)
        os.replace(writing, path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        if former.exists() and not path.exists():
            os.replace(former, path)
        raise
    remove(former)


def mend(folder: Path) -> None:
    """Clear `folder` of what a crash left behind in it: half-written entries go, one moved aside comes back."""
    for entry in sorted(folder.glob(f".*{_WRITING}")):
        remove(entry)
    for former in sorted(folder.glob(f".*{_FORMER}")):
        path = folder / former.name[1 : -len(_FORMER)]
        if path.exists():
            remove(former)
        else:
            os.replace(former, path)


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's or a folder's content is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
