"""Several processes, threads and deaths over one store."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lettering import Lettering, is_whole
from sharing import BOUND, is_sound, read_and_write, server, statements, text, write, write_until

from endash.memory_store import MemoryStore


def test_processes_that_read_write_and_drop_at_once_see_whole_memories(tmp_path: Path) -> None:
    folder, wrong = tmp_path / "store", server.Queue()
    MemoryStore(folder, max_bytes=BOUND)
    ranges = [(0, 60), (20, 80), (40, 100), (0, 100)]  # each has much in common with the others
    processes = [server.Process(target=read_and_write, args=(folder, *one, wrong)) for one in ranges]
    for process in processes:
        process.start()
    reports = [wrong.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert reports == [None] * 4
    assert [process.exitcode for process in processes] == [0] * 4
    assert is_sound(folder)
    assert 10 < len(MemoryStore(folder)) < 100
    assert MemoryStore(folder).bytes <= BOUND


def test_processes_that_make_one_store_at_once_make_one(tmp_path: Path) -> None:
    folder, wrong = tmp_path / "store", server.Queue()
    processes = [server.Process(target=read_and_write, args=(folder, 4 * one, 4 * one + 4, wrong)) for one in range(6)]
    for process in processes:
        process.start()
    assert [wrong.get(timeout=60) for _ in processes] == [None] * 6
    for process in processes:
        process.join(60)
    assert len(MemoryStore(folder)) == 24


def test_a_process_killed_while_it_writes_leaves_all_that_was_stored(tmp_path: Path) -> None:
    """Wherever SIGKILL meets it: in a transaction, in SQLite's own writing, or between."""
    folder, start = tmp_path / "store", 0
    MemoryStore(folder, max_bytes=BOUND)
    for stored in (0, 1, 2, 5, 9, 14, 30, 60):  # further on the log is written back into the file, and memories go
        receiving, sending = server.Pipe(duplex=False)
        process = server.Process(target=write, args=(folder, sending, start))
        process.start()
        sending.close()
        last = start
        for _ in range(stored):
            last = receiving.recv()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        while receiving.poll():
            try:
                last = receiving.recv()
            except EOFError:
                break
        assert is_sound(folder)
        store = MemoryStore(folder)
        if stored:
            told = [text(number) for number in range(max(start, last - 5), last + 1)]
            assert all(key in store for key in Lettering().memory_keys(told))
        start = last + 1
    assert MemoryStore(folder).bytes <= BOUND


@pytest.mark.parametrize("statement", range(1, 18))
def test_a_process_killed_while_it_makes_a_store_leaves_a_sound_one(statement: int, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    assert len(statements(tmp_path / "other", 0)) == 17  # all of them are met
    kill(folder, statement, 0)
    assert is_sound(folder)
    assert len(MemoryStore(folder)) == 0
    assert is_whole(MemoryStore(folder).memory(Lettering(), [text(number) for number in range(3)]))
    assert len(MemoryStore(folder)) == 3


@pytest.mark.parametrize("statement", range(1, 9))
def test_a_process_killed_while_memories_make_room_leaves_the_others(statement: int, tmp_path: Path) -> None:
    folders = [tmp_path / "store", tmp_path / "other"]
    for folder in folders:
        store = MemoryStore(folder, max_bytes=BOUND)
        before = [f"{number}{'.' * 100}" for number in range(30)]
        store.add(Lettering(), before)
        assert store.dropped
        del store
    begun = statements(folders[1], 29)
    assert [one.split()[0] for one in begun[:4]] == ["BEGIN", "UPDATE", "DELETE", "DELETE"]
    kill(folders[0], statement, 29)
    assert is_sound(folders[0])
    store = MemoryStore(folders[0])
    there = [one in store for one in Lettering().memory_keys(before)]
    assert there[-3:] == [True] * 3
    dropped_first = statement > len(begun)
    assert (Lettering().memory_keys([text(29)])[0] in store) == dropped_first


def kill(folder: Path, statement: int, start: int) -> None:
    process = server.Process(target=write_until, args=(folder, statement, start))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_a_fork_goes_on_with_the_store_of_its_parent(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path / "store")
    store.add(Lettering(), ["before"])
    context = multiprocessing.get_context("fork")
    process = context.Process(target=store.add, args=(Lettering(), ["by the child"]))
    process.start()
    store.add(Lettering(), ["by the parent"])
    process.join(60)
    assert process.exitcode == 0
    assert len(store) == 3
    assert is_sound(tmp_path / "store")


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path / "store", max_bytes=BOUND)

    def use(number: int) -> bool:
        return is_whole(store.memory(Lettering(), [text(number % 40), text((number + 7) % 40)]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(120)))
    assert is_sound(tmp_path / "store")
