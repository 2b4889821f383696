"""Runs of the tiny network in processes that kill themselves at a chosen place."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny import TinyNetwork, finished

from endash import files
from endash.training import checkpoints

# The server imports all that is slow to import once, what torch imports for an optimiser too; each run is a fork of it.
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tensorboardX", "torch._dynamo", "killing"])


def kill(place: str, count: int, folder: Path, *, workers: int = 1) -> None:
    """Run in `folder` until the `count`-th call of `place`, which dies by SIGKILL."""
    process = _server.Process(target=_run, args=(place, count, folder, workers))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def _run(place: str, count: int, folder: Path, workers: int) -> None:
    torch.set_num_threads(1)
    left = count

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if place == "save":  # half a file is there when the process dies
                    Path(args[1]).write_bytes(b"\x10" * 300)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    owner, name = {
        "step": (TinyNetwork, "loss"),
        "save": (checkpoints, "save_tensors"),
        "fsync": (os, "fsync"),
        "rename": (os, "replace"),
        "remove": (files.shutil, "rmtree"),
    }[place]
    setattr(owner, name, deadly(getattr(owner, name)))
    finished(folder, workers=workers)
