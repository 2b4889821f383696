"""A picture file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from endash.errors import EndashError
from endash.files import whole_file


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write `content` at `path`, whole or not at all; a file that was there stays if that fails.

    Raises EndashError if the folder is missing or cannot be written.
    """
    target = check_place(path)
    try:
        with whole_file(target) as unfinished:
            unfinished.write_bytes(content)
    except OSError as problem:
        raise EndashError(f"{target} cannot be written: {problem.strerror}") from problem
    return target


def check_place(path: str | os.PathLike[str]) -> Path:
    """The path of a file that is to be written. Raises EndashError if it is a folder, or in none that is there."""
    target = Path(path)
    if target.is_dir():
        raise EndashError(f"{target} is a folder: give the name of a file in it")
    if not target.parent.is_dir():
        raise EndashError(f"{target} cannot be written: there is no folder {target.parent}; create it first")
    return target
