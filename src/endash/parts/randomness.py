"""Where parts take their random numbers from: a thread may have a generator of its own, so that threads do not race for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Own(threading.local):
    generator: torch.Generator | None = None


_own = _Own()


def generator() -> torch.Generator | None:
    """The generator that a part on a CPU draws from: the thread's own, or None, which is torch's default."""
    return _own.generator


@contextmanager
def drawing_from(one: torch.Generator) -> Iterator[None]:
    """Within it, parts that this thread runs draw from `one`."""
    before, _own.generator = _own.generator, one
    try:
        yield
    finally:
        _own.generator = before
