"""Files that records name, out of folders and archives, and what is said of those that are not there."""

from __future__ import annotations

import gc
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from endash.corpora import Media
from endash.corpora.media import _opened
from endash.errors import CorpusError

FILES = {"a.wav": b"first", "deep/b.wav": b"", "deep/c.wav": bytes(range(256)) * 40}


def folder(path: Path, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return str(path)


def tar(path: Path, files: dict[str, bytes], *, prefix: str = "") -> str:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w:") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.fixture(params=["folder", "a.tar", "a.tar.gz", "a.tgz"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return folder(tmp_path / "folder", FILES)
    return tar(tmp_path / request.param, FILES, prefix="./")


def test_files_come_out_as_they_went_in_and_in_any_order(archive: str) -> None:
    for name in [*reversed(FILES), *FILES, "./deep//c.wav"]:
        assert Media(archive, name).why_not() is None
        assert Media(archive, name).read() == FILES[os.path.normpath(name)]


def test_a_missing_file_is_told_with_the_nearest(archive: str) -> None:
    with pytest.raises(CorpusError, match=rf"^no file 'deep/d.wav' in {archive}: did you mean 'deep/[bc].wav'\?$"):
        Media(archive, "deep/d.wav").read()
    assert Media(archive, "deep/zzzzzzzzzzz.png").why_not() == (
        f"no file 'deep/zzzzzzzzzzz.png' in {archive}: check the name"
    )
    assert "no file 'deep'" in str(Media(archive, "deep").why_not()), "a folder is no file"
    for name in ("", "nowhere/x.wav", "\0"):
        assert str(Media(archive, name).why_not()).startswith(f"no file {name!r} in ")


def test_the_same_name_in_another_folder_is_the_nearest(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", {"train/000.wav": b"", "train/0001.wav": b"x"})
    assert str(Media(archive, "0001.wav").why_not()).endswith("did you mean 'train/0001.wav'?")


@pytest.mark.parametrize("name", ["../secret", "deep/../../secret", "/etc/hostname", ".."])
def test_no_name_leads_out(archive: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(CorpusError, match=rf"^'{name}' leads out of {archive}: name a file in it"):
        Media(archive, name).read()


def test_an_absolute_path_into_the_folder_is_a_name_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = folder(tmp_path / "folder", FILES)
    (tmp_path / "folders").mkdir()
    (tmp_path / "folders" / "a.wav").write_bytes(b"of a folder whose name begins alike")
    monkeypatch.chdir(tmp_path)
    for archive in (inside, "folder", inside + "/"):
        assert Media(archive, f"{inside}/deep//c.wav").read() == FILES["deep/c.wav"]
        for name in (f"{inside}s/a.wav", f"{inside}/../folders/a.wav"):
            assert " leads out of " in str(Media(archive, name).why_not())


def test_nothing_of_an_archive_is_written_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    archive = tar(tmp_path / "a.tar.gz", {"../out.wav": b"x", "in.wav": b"y"})
    assert Media(archive, "in.wav").read() == b"y"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar.gz", "temporary"]


def test_links_and_folders_of_an_archive_are_no_files(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("folder", tarfile.DIRTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/hostname"
            archive.addfile(member)
    for name in ("link", "folder", "pipe"):
        assert str(Media(str(tmp_path / "a.tar"), name).why_not()).startswith(f"no file {name!r} in ")


def broken_gzip(path: Path) -> None:
    packed = gzip.compress(os.urandom(100_000))
    path.write_bytes(packed[: len(packed) // 2])


def cut_short(path: Path) -> None:
    whole = Path(tar(path.parent / "whole.tar", {"a.wav": os.urandom(100_000)})).read_bytes()
    path.write_bytes(whole[:50_000])


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.tar.gz", broken_gzip, r"a.tar.gz is a broken gzip file \(.*\): fetch or pack it again"),
        (
            "a.tar",
            cut_short,
            r"a.tar is neither a folder nor a whole .tar or .tar.gz archive \(unexpected end of data\)",
        ),
        ("a.tar", lambda path: path.write_bytes(b"no archive" * 99), r"a.tar is neither a folder nor a whole .tar"),
        (
            "a.zip",
            lambda path: path.write_bytes(b"PK\3\4" * 99),
            r"a.zip is neither a folder nor a whole .tar or .tar.gz",
        ),
        ("a.tar", lambda path: path.write_bytes(b""), r"a.tar is neither a folder nor a whole .tar .*\(empty file\)"),
    ],
)
def test_an_archive_that_is_broken_or_none(
    tmp_path: Path, name: str, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(CorpusError, match=message):
        Media(str(tmp_path / name), "a.wav").read()
    gc.collect()  # a file left open would be told here


def test_a_missing_archive_names_the_nearest(tmp_path: Path) -> None:
    tar(tmp_path / "train.tar.gz", FILES)
    with pytest.raises(CorpusError, match=r"train.tar: no such file in .*: did you mean '.*train.tar.gz'\?"):
        Media(str(tmp_path / "train.tar"), "a.wav").read()


def test_an_archive_that_changed_is_read_anew(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", {"a.wav": b"before"})
    assert Media(archive, "a.wav").read() == b"before"
    archive = tar(tmp_path / "a.tar", {"a.wav": b"after", "b.wav": os.urandom(20_000)})
    assert Media(archive, "a.wav").read() == b"after"


def test_threads_share_an_open_archive(tmp_path: Path) -> None:
    files = {f"{number}.wav": os.urandom(20_000) for number in range(20)}
    archive = tar(tmp_path / "a.tar.gz", files)
    assert Media(archive, "0.wav").read() == files["0.wav"]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda name: Media(archive, name).read(), files)) == list(files.values())
    _opened.cache_clear()
    gc.collect()  # closes what is open, and says nothing
