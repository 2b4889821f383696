"""Ctrl-C and SIGTERM: the step in hand is finished, a checkpoint written, and the user told how to go on."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop and has; the message says where it is kept and how to go on. The exit status is 130."""


class Stop:
    """A context in which the first Ctrl-C or SIGTERM only sets `requested`; the second stops at once.

    Outside the main thread, where Python takes no signals, it changes nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {one: signal.signal(one, self._receive) for one in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._former.items():
            signal.signal(one, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise Interrupted(
                "stopped at once: what was done since the last checkpoint is lost; --resume goes on from it"
            )
        self.requested = True
