"""The file of a memory store: an SQLite database that several processes read and write at once.

SQLite does each transaction whole or not at all, whatever dies in the middle of it. In its write-ahead mode readers wait for
nobody, and writers for each other. The write-ahead log stands beside the file, and is small: an entry is a transaction.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from endash.errors import MemoryStoreError
from endash.memory_store.packing import Packed

_VERSION = 1
_PATIENCE = 60.0  # seconds to wait for another process to finish its transaction
_SLACK = 8  # pages that an entry may take besides its content: ends of pages, and nodes of the indices
_SCHEMA = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value NOT NULL)",
    "CREATE TABLE entries (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, used INTEGER NOT NULL)",
    "CREATE INDEX entries_by_use ON entries (used)",
    "CREATE TABLE contents (id INTEGER PRIMARY KEY, about TEXT NOT NULL, tensors BLOB NOT NULL)",
    f"PRAGMA user_version = {_VERSION}",
)
_NOW = "(SELECT coalesce(max(used), 0) + 1 FROM entries)"  # entries are numbered by when they were used last
_WHAT_TO_DO = {
    sqlite3.SQLITE_FULL: "free the disk; what was stored is still there",
    sqlite3.SQLITE_IOERR: "see to the disk; what was stored is still there",
    sqlite3.SQLITE_BUSY: f"another process has been writing for {_PATIENCE:.0f} seconds: end it, or try again",
    sqlite3.SQLITE_READONLY: "make it writable, or name another folder",
    sqlite3.SQLITE_CANTOPEN: "make its folder writable, or name another one",
    sqlite3.SQLITE_NOTADB: "remove it; the memories are encoded again when they are needed",
    sqlite3.SQLITE_CORRUPT: "remove it; the memories are encoded again when they are needed",
}
_inherited: list[sqlite3.Connection] = []  # from before a fork: SQLite wants them neither used nor closed


class _Connection(sqlite3.Connection):
    """A connection that is closed when it is let go."""

    def __del__(self) -> None:
        self.close()


class Database:
    """Packed memories by their keys. Each thread of each process has a connection of its own, opened when it is needed.

    Every method raises MemoryStoreError where the file is broken or cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def settle(self, **wanted: tuple[str | int | None, str | int]) -> dict[str, str | int]:
        """The store's settings; one that it has not yet is, as wanted or by default, what is given as a pair of these."""
        with self._explained():
            connection = self._connect()
            settled = dict(connection.execute("SELECT name, value FROM settings"))
            if settled.keys() != wanted.keys():
                with self._transaction():
                    values = [(name, default if value is None else value) for name, (value, default) in wanted.items()]
                    connection.executemany("INSERT OR IGNORE INTO settings VALUES (?, ?)", values)
                settled = dict(connection.execute("SELECT name, value FROM settings"))
            return settled

    def limit(self, max_bytes: int) -> int:
        """From now on hold no more than so many bytes; gives how many memories had to go."""
        with self._explained(), self._transaction() as connection:
            connection.execute("UPDATE settings SET value = ? WHERE name = 'max_bytes'", (max_bytes,))
            dropped = self._make_room(connection, 0)
        with self._explained():
            # gives the disk what became free; a script, for execute takes one step of it only
            connection.executescript("PRAGMA incremental_vacuum")
        return dropped

    def get(self, keys: Iterable[str]) -> dict[str, Packed]:
        """Those of these memories that are there. They are now the ones used last."""
        found: dict[str, Packed] = {}
        with self._explained():
            connection = self._connect()
            for key in dict.fromkeys(keys):
                row = connection.execute(
                    "SELECT about, tensors FROM entries JOIN contents USING (id) WHERE key = ?", (key,)
                ).fetchone()
                if row is not None:
                    found[key] = Packed(*row)
        self.touch(found)
        return found

    def touch(self, keys: Iterable[str]) -> set[str]:
        """Those of these keys that are there. Their memories are now the ones used last."""
        with self._explained():
            connection = self._connect()
            asked = "SELECT 1 FROM entries WHERE key = ?"
            known = [(key,) for key in dict.fromkeys(keys) if connection.execute(asked, (key,)).fetchone()]
            # where the order of use cannot be written, on a full disk or a read-only one, memories are still read
            with suppress(sqlite3.OperationalError), self._transaction() if known else nullcontext():
                connection.executemany(f"UPDATE entries SET used = {_NOW} WHERE key = ?", known)
        return {key for (key,) in known}

    def put(self, key: str, packed: Packed) -> int:
        """Keep a memory, unless there is one of this key; gives how many others, least recently used first, went for it."""
        with self._explained(), self._transaction() as connection:
            if connection.execute(f"UPDATE entries SET used = {_NOW} WHERE key = ?", (key,)).rowcount:
                return 0
            dropped = self._make_room(connection, len(packed))
            entry = connection.execute(f"INSERT INTO entries (key, used) VALUES (?, {_NOW})", (key,)).lastrowid
            connection.execute("INSERT INTO contents VALUES (?, ?, ?)", (entry, packed.about, packed.tensors))
            return dropped

    def __len__(self) -> int:
        with self._explained():
            return int(self._connect().execute("SELECT count(*) FROM entries").fetchone()[0])

    @property
    def bytes(self) -> int:
        """The size of the file."""
        with self._explained():
            connection = self._connect()
            return _pragma(connection, "page_count") * _pragma(connection, "page_size")

    def _make_room(self, connection: sqlite3.Connection, size: int) -> int:
        """Drop the memories used least recently until `size` bytes fit in; gives how many."""
        [limit] = connection.execute("SELECT value FROM settings WHERE name = 'max_bytes'").fetchone()
        page, dropped = _pragma(connection, "page_size"), 0
        needed = -(-size // (page - 4)) + _SLACK  # a page of a long content begins with the number of the next
        while (
            used := _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
        ) + needed > limit // page:
            oldest = connection.execute("SELECT id FROM entries ORDER BY used LIMIT 1").fetchone()
            if oldest is None:
                raise MemoryStoreError(
                    f"{self.path}: max_bytes = {limit:,} is too little, for this one memory {(used + needed) * page:,} "
                    "are needed: raise max_bytes"
                )
            connection.execute("DELETE FROM entries WHERE id = ?", oldest)
            connection.execute("DELETE FROM contents WHERE id = ?", oldest)
            dropped += 1
        return dropped

    def _connect(self) -> sqlite3.Connection:
        """This thread's connection."""
        if getattr(self._local, "process", None) != os.getpid():
            _inherited.extend(filter(None, [getattr(self._local, "connection", None)]))
            self._local.connection, self._local.process = self._open(), os.getpid()
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last memories, and breaks none
        if _pragma(connection, "user_version") == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            with _whole(connection):
                if _pragma(connection, "user_version") == 0:  # no other process was faster
                    for statement in _SCHEMA:
                        connection.execute(statement)
        if (version := _pragma(connection, "user_version")) != _VERSION:
            raise MemoryStoreError(
                f"{self.path} is of format {version}, this version reads {_VERSION}: name another folder, or remove this one"
            )
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connect()
        with _whole(connection):
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns an error of SQLite into one that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            what = _WHAT_TO_DO.get(code, "see to its disk")
            raise MemoryStoreError(f"{self.path} cannot be used ({error}): {what}") from error


@contextmanager
def _whole(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes: all that is done in the block, or nothing where it raises."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
