"""A picture file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from endash.errors import EndashError


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write `content` beside `path` and put it there in one step; a file that was there stays whole if that fails.

    Raises EndashError if the folder is missing or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise EndashError(f"{target} is a folder: give the name of a file in it")
    if not target.parent.is_dir():
        raise EndashError(f"{target} cannot be written: there is no folder {target.parent}; create it first")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, target)
    except OSError as problem:
        raise EndashError(f"{target} cannot be written: {problem.strerror}") from problem
    finally:
        unfinished.unlink(missing_ok=True)
    return target
