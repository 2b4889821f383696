from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from endash.files import mend, remove, save_tensors, whole_file, whole_folder, write_text


def test_a_text_is_there_whole_or_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_text(path, "first – ü")
    assert path.read_text(encoding="utf-8") == "first – ü"

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "second")
    assert path.read_text(encoding="utf-8") == "first – ü"
    assert os.listdir(tmp_path) == ["note.txt"]


def test_a_folder_takes_its_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model"
    with whole_folder(path) as writing:
        (writing / "inner").mkdir()
        (writing / "inner" / "a").write_text("a")
        assert not path.exists()
    assert (path / "inner" / "a").read_text() == "a"
    assert os.listdir(path.parent) == ["model"]


def test_a_folder_that_was_there_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("old", "new"):
        with whole_folder(path) as writing:
            (writing / name).write_text(name)
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [OSError(28, "No space"), KeyboardInterrupt()])
def test_a_folder_that_was_there_survives_a_failure(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "model"
    with whole_folder(path) as writing:
        (writing / "old").write_text("old")
    with pytest.raises(type(error)), whole_folder(path) as writing:  # noqa: PT012  (the failure is what is tested)
        (writing / "new").write_text("new")
        raise error
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_that_cannot_take_its_name_gives_it_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "model"
    with whole_folder(path) as writing:
        (writing / "old").write_text("old")
    replace = os.replace

    def second_fails(source: Path, target: Path) -> None:
        if source.name.endswith(".writing"):
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match="Input/output"), whole_folder(path) as writing:
        (writing / "new").write_text("new")
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["model"]


def test_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    for folder in (".half.writing", ".moved.former", ".done.former", "done"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text(folder)
    (tmp_path / ".text.writing").write_text("half")
    mend(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["done", "moved"]
    assert (tmp_path / "done" / "x").read_text() == "done"
    assert (tmp_path / "moved" / "x").read_text() == ".moved.former"


def test_what_is_not_there_need_not_be_removed_and_a_link_leads_nowhere(tmp_path: Path) -> None:
    remove(tmp_path / "nothing")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "link")
    assert os.listdir(tmp_path) == ["kept"]


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_tensors_may_be_read_by_whom_the_umask_lets(tmp_path: Path, umask: int) -> None:
    former = os.umask(umask)
    try:
        save_tensors({"a": torch.ones(2)}, tmp_path / "x", notes={"made": "here"})
    finally:
        os.umask(former)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~umask
    assert load_file(tmp_path / "x")["a"].tolist() == [1, 1]


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_tensors({"a": torch.ones(2)}, tmp_path / "x")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept.txt").write_text("former")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "kept.txt")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "kept.txt").read_text() == "new"
    (tmp_path / "model").symlink_to(tmp_path / "elsewhere")
    with whole_folder(tmp_path / "model") as writing:
        (writing / "new").write_text("new")
    assert (tmp_path / "model").is_symlink()
    assert os.listdir(tmp_path / "elsewhere") == ["new"]
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "link", "model"]


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(ZeroDivisionError), whole_file(pipe) as writing:
            writing.write_text(f"half {1 // 0}")
        write_text(tmp_path / "link", "whole")
        assert os.read(reading, 100) == b"whole"
    finally:
        os.close(reading)
    assert pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]
