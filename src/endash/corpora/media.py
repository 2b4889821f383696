"""Recordings and pictures that a record names: files in a folder or in a tar archive, read one at a time.

An archive is indexed once and read in its place; nothing of it is ever written under a name of its own. One that is packed by
gzip is unpacked once, to a temporary file without a name, for gzip cannot be entered in the middle.
"""

from __future__ import annotations

import difflib
import gzip
import os
import posixpath
import shutil
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

from endash.corpora.files import missing
from endash.errors import CorpusError

_OPEN = 16  # archives that are kept open
_COMPARED = 2000  # names that a missing one is compared with
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Media:
    """A file by its `name` in `archive`: a folder, a .tar or a .tar.gz. Names have slashes, and stay inside it; an absolute one may."""

    archive: str
    name: str

    @property
    def inner(self) -> str:
        """The name by its path from the archive, if it is an absolute one that leads into it; else as it is."""
        folder, name = os.path.abspath(self.archive) + "/", _plain(self.name)
        return name.removeprefix(folder) if name.startswith(folder) else self.name

    def read(self) -> bytes:
        """The whole file. Raises CorpusError if there is none of that name, or the archive cannot be read."""
        if reason := self.why_not():
            raise CorpusError(reason)
        return _archive(self.archive).read(_plain(self.inner))

    def why_not(self) -> str | None:
        """Why the file cannot be read, with the nearest name that there is; None if it is there.

        Raises CorpusError if the archive itself is missing or broken.
        """
        archive, name = _archive(self.archive), _plain(self.inner)
        if name == ".." or name.startswith(("../", "/")):
            return f"{self.name!r} leads out of {self.archive}: name a file in it, by its path from there"
        if archive.holds(name):
            return None
        near = _nearest(name, archive.names(name))
        return f"no file {self.name!r} in {self.archive}: " + (f"did you mean {near!r}?" if near else "check the name")


class _Archive(Protocol):
    def holds(self, name: str) -> bool: ...
    def names(self, near: str) -> Iterable[str]: ...
    def read(self, name: str) -> bytes: ...


class _Folder:
    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def holds(self, name: str) -> bool:
        return (self.path / name).is_file()

    def names(self, near: str) -> Iterable[str]:
        """The files beside where `near` would be."""
        inner = posixpath.dirname(near)
        with suppress(OSError, ValueError):
            return sorted(posixpath.join(inner, found) for found in os.listdir(self.path / inner))
        return []

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise CorpusError(f"{self.path / name} cannot be read: {error.strerror or error}") from None


class _Tar:
    """A tar archive that is open: the place and length of each file in it. Threads, and processes that were forked, may share it."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = _unpacked(path)
            weakref.finalize(self, self._file.close)
            with tarfile.open(fileobj=self._file, mode="r:") as tar:
                self._places = {
                    _plain(member.name): (member.offset_data, member.size)
                    for member in tar
                    if member.isreg() and not member.issparse()
                }
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorpusError(f"{path} is a broken gzip file ({error}): fetch or pack it again") from None
        except (tarfile.TarError, ValueError) as error:
            raise CorpusError(
                f"{path} is neither a folder nor a whole .tar or .tar.gz archive ({error}): files are read out of these"
            ) from None
        except OSError as error:
            raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from None

    def holds(self, name: str) -> bool:
        return name in self._places

    def names(self, near: str) -> Iterable[str]:
        return self._places

    def read(self, name: str) -> bytes:
        start, length = self._places[name]
        found = os.pread(self._file.fileno(), length, start)  # leaves the file's own place alone
        if len(found) < length:
            raise CorpusError(f"{self.path} ends within {name!r}: fetch or pack it again")
        return found


def _archive(path: str) -> _Archive:
    """The folder or archive at `path`, opened anew when it has changed."""
    if not os.path.exists(path):
        raise missing(path)
    if os.path.isdir(path):
        return _Folder(path)
    found = os.stat(path)
    return _opened(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=_OPEN)
def _opened(path: str, changed: int, size: int) -> _Tar:
    return _Tar(path)


def _unpacked(path: str) -> IO[bytes]:
    """The archive as an open file; one packed by gzip, whatever its name, as a temporary file that is gone when it is closed."""
    file: IO[bytes] = open(path, "rb")  # noqa: SIM115  (stays open)
    if file.read(2) != _GZIP:
        file.seek(0)
        return file
    file.seek(0)
    with file, gzip.open(file) as packed:
        unpacked: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (stays open)
        try:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
            unpacked.seek(0)
        except BaseException:
            unpacked.close()
            raise
    return unpacked


def _plain(name: str) -> str:
    """`name` without dots and doubled slashes, as both tables and archives are asked for it."""
    return posixpath.normpath(name)


def _nearest(name: str, names: Iterable[str]) -> str | None:
    """What was meant by `name`: the same file in another folder, or else the name most like it."""
    known = list(names)
    last = posixpath.basename(name)
    elsewhere = next((one for one in known if posixpath.basename(one) == last), None)
    return elsewhere or next(iter(difflib.get_close_matches(name, islice(known, _COMPARED), n=1)), None)
