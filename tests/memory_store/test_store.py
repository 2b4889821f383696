from __future__ import annotations

import os
import pickle
import sqlite3
from pathlib import Path

import pytest
import torch
from lettering import Lettering, is_whole

from endash.errors import MemoryStoreError
from endash.memory_store import MemoryStore


def fill(store: MemoryStore, *names: str, length: int = 100) -> None:
    """One memory after the other, each of about a hundredth of a megabyte."""
    for name in names:
        store.add(Lettering(width=20), [name * length])


def names_in(store: MemoryStore, names: str, *, length: int = 100) -> str:
    """Which of these are there, asked without using them."""
    with sqlite3.connect(store.folder / "memories.sqlite") as connection:
        keys = {key for (key,) in connection.execute("SELECT key FROM entries")}
    connection.close()
    return "".join(name for name in names if f"here {name * length}" in keys)


def test_what_is_missing_is_encoded_once_and_all_comes_in_order() -> None:
    store, model = MemoryStore("store"), Lettering()
    first = store.memory(model, ["door", "a", "door", "window"])
    assert first.sources == ("door", "a", "door", "window")
    assert is_whole(first)
    assert sorted(model.encoded) == ["a", "door", "window"]
    model.encoded.clear()
    again = MemoryStore("store").memory(model, ["window", "roof", "a"])
    assert again.sources == ("window", "roof", "a")
    assert is_whole(again)
    assert model.encoded == ["roof"]
    assert len(store) == 4


def test_a_row_is_kept_without_its_padding_and_whatever_it_was_encoded_with() -> None:
    store, model = MemoryStore("store"), Lettering()
    store.add(model, ["a", "garden"])
    [key] = model.memory_keys(["a"])
    assert store[key].states.shape == (1, 1, 8)
    assert is_whole(store[key])
    assert key in store
    assert store.get("another") is None
    assert "another" not in store
    with pytest.raises(
        MemoryStoreError, match=r"store has no memory 'another': it was never stored, or went to make room"
    ):
        store["another"]


def test_many_texts_are_encoded_many_at_a_time_and_told_of() -> None:
    store, model, told = MemoryStore("store"), Lettering(), list[int]()
    texts = [f"text {number}" for number in range(150)]
    assert store.add(model, texts[:30], progress=told.append) == 30
    assert store.add(model, texts, progress=told.append) == 120
    assert sum(told) == 180
    told.clear()
    memory = store.memory(model, [*texts, "new", "new"], progress=told.append)
    assert memory.sources == (*texts, "new", "new")
    assert sum(told) == 152
    assert store.add(model, texts) == 0


def test_no_text_is_no_row() -> None:
    store, model = MemoryStore("store"), Lettering()
    assert store.memory(model, []).states.shape == (0, 1, 8)
    assert store.add(model, []) == 0


def test_a_changed_encoder_meets_no_old_memory() -> None:
    store, old, new = MemoryStore("store"), Lettering(), Lettering(origin="there")
    store.add(old, ["door"])
    assert store.memory(new, ["door"]).origin == "there"
    assert new.encoded == ["door"]
    assert store[old.memory_keys(["door"])[0]].origin == "here"


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_a_row_is_the_same_whether_it_was_there_or_not(precision: str) -> None:
    store, model = MemoryStore("store", precision=precision), Lettering(width=5)  # type: ignore[arg-type]
    first, again = (store.memory(model, ["door", "window"]).states for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, model.encode(["door", "window"]).states)


def test_a_store_keeps_its_precision() -> None:
    MemoryStore("store", precision="int8")
    assert MemoryStore("store").precision == "int8"
    with pytest.raises(
        MemoryStoreError, match=r"^store holds memories in int8, and float32 was asked for: leave precisio"
    ):
        MemoryStore("store", precision="float32")
    with pytest.raises(
        MemoryStoreError, match=r"^precision = 'int4': did you mean 'int8'\? allowed: float16, float32, int8"
    ):
        MemoryStore("other", precision="int4")  # type: ignore[arg-type]
    assert os.listdir() == ["store"]


def test_the_memories_used_least_recently_go_first() -> None:
    store = MemoryStore("store", max_bytes=180_000)
    fill(store, *"abcdefghij")
    assert names_in(store, "abcdefghij") == "abcdefghij"
    store.memory(Lettering(width=20), ["a" * 100])  # read,
    store[f"here {'c' * 100}"]
    fill(store, "b")  # stored again,
    assert f"here {'e' * 100}" in store  # or asked for
    new = iter("klmnopqrstuvwxyz")
    while store.dropped < 4:
        fill(store, next(new))
    assert names_in(store, "abcdefghij") == "abceij"
    assert is_whole(store[f"here {'a' * 100}"])


def test_the_file_stays_within_its_bound() -> None:
    store = MemoryStore("store", max_bytes=200_000)
    for number in range(60):
        store.add(Lettering(width=20), [f"{number:03}" * (1 + number % 40)])
        assert store.bytes <= 200_000
    assert store.dropped + len(store) == 60
    assert store.dropped > 10
    size = os.path.getsize("store/memories.sqlite")
    del store  # the last to close it puts all into the file
    assert os.path.getsize("store/memories.sqlite") <= max(size, 200_000) <= 200_000


def test_a_lower_bound_is_kept_at_once_and_by_all() -> None:
    store, letters = MemoryStore("store"), "".join(map(chr, range(100, 160)))
    fill(store, *letters)
    half = store.bytes // 2
    smaller = MemoryStore("store", max_bytes=half)
    assert store.bytes == smaller.bytes <= half
    assert 30 <= smaller.dropped <= 45  # what an empty file takes counts, too
    assert names_in(store, letters) == letters[smaller.dropped :]
    fill(store, *"uvwxyz")  # this one was opened with the bound of old
    MemoryStore("store")
    assert store.bytes <= half
    assert store.dropped + smaller.dropped == 66 - len(store)


def test_what_cannot_fit_says_what_it_needs_and_drops_nothing() -> None:
    store = MemoryStore("store", max_bytes=100_000)
    fill(store, "a", "b")
    with pytest.raises(
        MemoryStoreError, match=r"max_bytes = 100,000 is too little, for this one memory \d\d\d,\d{3} are"
    ):
        fill(store, "c", length=2000)
    with pytest.raises(MemoryStoreError, match=r"max_bytes = 10 is too little, .* are needed: raise max_bytes"):
        MemoryStore("store", max_bytes=10)
    assert names_in(store, "abc") == "ab"


def test_a_store_that_must_be_there_is_found_or_not() -> None:
    with pytest.raises(
        MemoryStoreError, match=r"^none: there is no memory store; make one with `endash encode MODEL --st"
    ):
        MemoryStore.find("none")
    assert not Path("none").exists()
    fill(MemoryStore("store"), "a")
    assert len(MemoryStore.find("store")) == 1


def test_a_store_is_pickled_as_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = MemoryStore("store", precision="int8")
    fill(store, "a")
    content = pickle.dumps(store)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    again = pickle.loads(content)
    assert (len(again), again.precision) == (1, "int8")


def test_a_full_disk_loses_nothing_and_is_read_all_the_same() -> None:
    store = MemoryStore("store")
    fill(store, "a", "b")
    connection = store._database._connect()
    full = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {full}")  # SQLite then answers as it does where the disk has no more
    with pytest.raises(
        MemoryStoreError, match=r"memories\.sqlite cannot be used \(database or disk is full\): free the disk"
    ):
        fill(store, *"cdefgh", length=400)
    assert is_whole(store[f"here {'a' * 100}"])
    connection.execute("PRAGMA max_page_count = 1000000")
    before = len(store)
    fill(store, "i")
    assert len(store) == before + 1
    assert names_in(store, "abi") == "abi"


def test_what_cannot_be_written_is_still_read() -> None:
    store = MemoryStore("store")
    fill(store, "a")
    store._database._connect().execute("PRAGMA query_only = 1")  # as a read-only disk answers
    assert is_whole(store[f"here {'a' * 100}"])
    with pytest.raises(MemoryStoreError, match=r"attempt to write a readonly database\): make it writable"):
        fill(store, "b")


def test_a_folder_that_cannot_be_made_is_named() -> None:
    Path("file").write_text("precious")
    with pytest.raises(MemoryStoreError, match=r"^file/store: Not a directory: name a folder that can be made"):
        MemoryStore("file/store")


def test_a_broken_file_says_what_to_do() -> None:
    Path("store").mkdir()
    Path("store/memories.sqlite").write_bytes(b"The door is open. " * 500)
    with pytest.raises(
        MemoryStoreError, match=r"cannot be used \(file is not a database\): remove it; the memories are enc"
    ):
        MemoryStore("store")


@pytest.mark.parametrize(
    "broken", ["tensors = x'10'", "about = '{}'", "about = 'no JSON'", "tensors = substr(tensors, 1, 99)"]
)
def test_an_entry_that_is_no_memory_is_told(broken: str) -> None:
    store = MemoryStore("store")
    fill(store, "a")
    store._database._connect().execute(f"UPDATE contents SET {broken}")
    with pytest.raises(MemoryStoreError, match=r"memories\.sqlite holds an entry that is no memory \(.*\): remove it"):
        store[f"here {'a' * 100}"]


def test_the_format_of_another_version_is_refused() -> None:
    MemoryStore("store")._database._connect().execute("PRAGMA user_version = 2")
    with pytest.raises(
        MemoryStoreError, match=r"memories\.sqlite is of format 2, this version reads 1: name another folder"
    ):
        MemoryStore("store")
