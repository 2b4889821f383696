"""What processes that share one store do; a fork of a server in which all is imported takes no time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lettering import Lettering, is_whole

from endash.memory_store import MemoryStore, database

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(["endash.memory_store"])
BOUND = 150_000  # too little for all that is written, so that memories go, too


def text(number: int) -> str:
    return f"{number:04} " * (1 + number % 30)


def write(folder: Path, told: Connection | None, start: int) -> None:
    """Write one memory after the other without an end, and tell the number of each that is stored."""
    store, number = MemoryStore(folder), start
    while True:
        store.add(Lettering(), [text(number)])
        if told is not None:
            told.send(number)
        number += 1


def write_until(folder: Path, statement: int, start: int) -> None:
    """Write without an end, and die by SIGKILL as the `statement`-th statement that changes anything begins."""
    left = statement

    def count(begun: str) -> None:
        nonlocal left
        left -= begun.startswith(CHANGES)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with traced(count):
        write(folder, None, start)


def statements(folder: Path, number: int) -> list[str]:
    """The statements that change anything while a store is opened and one memory is written."""
    begun: list[str] = []
    with traced(lambda one: begun.append(one) if one.startswith(CHANGES) else None):
        MemoryStore(folder).add(Lettering(), [text(number)])
    return begun


CHANGES = ("BEGIN", "CREATE", "INSERT", "UPDATE", "DELETE", "COMMIT", "PRAGMA journal_mode", "PRAGMA user_version =")


@contextmanager
def traced(call: Callable[[str], None]) -> Iterator[None]:
    """Calls `call` with each statement of SQL that is about to begin, also with those of a connection that is just opened."""

    class Traced(database._Connection):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.set_trace_callback(call)

    original, database._Connection = database._Connection, Traced  # type: ignore[misc]
    try:
        yield
    finally:
        database._Connection = original  # type: ignore[misc]


def read_and_write(folder: Path, first: int, last: int, wrong: Any) -> None:
    """Read these memories again and again, writing what is not there; report a memory that is not whole."""
    store = MemoryStore(folder)
    for round in range(2):
        for number in range(first, last, 4):
            texts = [text(one) for one in range(number, number + 4)]
            memory = store.memory(Lettering(), texts)
            if memory.sources != tuple(texts) or not is_whole(memory):
                wrong.put((round, number))
    wrong.put(None)


def is_sound(folder: Path) -> bool:
    """Whether SQLite finds no fault in the file, and every entry of it is whole."""
    store = MemoryStore(folder)
    connection = sqlite3.connect(folder / "memories.sqlite")
    fault = connection.execute("PRAGMA integrity_check").fetchone()[0]
    keys = [key for (key,) in connection.execute("SELECT key FROM entries")]
    contents = connection.execute("SELECT count(*) FROM contents").fetchone()[0]
    connection.close()
    return fault == "ok" and contents == len(keys) and all(is_whole(store[key]) for key in keys)
