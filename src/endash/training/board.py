"""The figures of a run for TensorBoard, which a run can do without."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class Board:
    """Writes scalars as they come; when that fails, as on a full disk, it `warn`s once and writes no more.

    A run that stands at step `step` hides what was written after it. tensorboardX's own writer leaves a failure to a
    thread, where nobody can catch it.
    """

    def __init__(self, folder: Path, *, step: int, warn: Callable[[str], None]) -> None:
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._folder, self._warn = folder, warn
        self._writer: Any = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = _open(folder)
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
            if step:
                start = SessionLog(status=SessionLog.START)
                self._write(Event(wall_time=time.time(), step=step + 1, session_log=start))
            self._writer.flush()
        except OSError as error:
            self._give_up(error)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the value of each name at a step."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        if self._writer is None:
            return
        try:
            for name, value in scalars.items():
                self._write(Event(wall_time=time.time(), step=step, summary=scalar(name, value)))
            self._writer.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file; all that was written is in it."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, event: Any) -> None:
        self._writer.write(event.SerializeToString())

    def _give_up(self, error: OSError) -> None:
        if self._writer is not None:
            with suppress(OSError):  # it tries once more to write what is left
                self._writer.close()
        self._writer = None
        self._warn(
            f"{self._folder} cannot be written ({error.strerror or error}): this run goes on without TensorBoard, its "
            "figures are in metrics.jsonl all the same"
        )


def _open(folder: Path) -> Any:
    from tensorboardX.record_writer import RecordWriter

    return RecordWriter(str(folder / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"))
