"""Files in and out: plain or gzipped, UTF-8 lines with their numbers, written whole or not at all."""

from __future__ import annotations

import difflib
import gzip
import io
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from endash.corpora.record import BadLine, excerpt
from endash.errors import CorpusError
from endash.files import whole_file

_HEAD = 8192  # bytes looked at to tell text from what is not
_BOM = "\ufeff"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; `number` counts from 1, `end` is the line end as it stood (empty after the last line)."""

    number: int
    text: str
    end: str = "\n"


def is_gzip_name(path: str) -> bool:
    """True if `path` names a gzipped file."""
    return path.lower().endswith(".gz")


def suffix_of(path: str) -> str:
    """The suffix that says the format, in lower case: ``.tsv`` of ``pairs.tsv.gz``."""
    return os.path.splitext(re.sub(r"\.gz$", "", path, flags=re.IGNORECASE))[1].lower()


def surrogate_in(text: str) -> str | None:
    """The first half of a surrogate pair in `text`, which no UTF-8 file can hold, as ``\\ud800``; None in sound text."""
    found = _SURROGATE.search(text)
    return f"\\u{ord(found.group()):04x}" if found else None


def missing(path: str) -> CorpusError:
    """The error for a path that is not there: names its folder's nearest entries, or the first folder missing."""
    here = Path(path)
    folder = here.parent
    if not folder.is_dir():
        return CorpusError(f"{path}: no such file, nor is there a folder {str(folder)!r}: check the path")
    close = difflib.get_close_matches(here.name, os.listdir(folder), n=3, cutoff=0.5)
    hint = f": did you mean {' or '.join(repr(str(folder / name)) for name in close)}?" if close else ": check the path"
    return CorpusError(f"{path}: no such file in {str(folder.resolve())!r}{hint}")


@contextmanager
def open_bytes(path: str) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """The bytes of a file, unpacked when its name ends in .gz.

    Raises CorpusError if it is missing, a folder, unreadable, not gzip though it is named so, or cut short.
    """
    if not os.path.exists(path):
        raise missing(path)
    if os.path.isdir(path):
        raise CorpusError(f"{path} is a folder, and a file is needed: name a file in it")
    try:
        if is_gzip_name(path):
            with gzip.open(path, "rb") as unpacked:
                yield unpacked
        else:
            with open(path, "rb") as plain:
                yield plain
    except gzip.BadGzipFile as error:
        raise CorpusError(
            f"{path} is named .gz and is not gzip ({error}): rename it without .gz if it is plain text"
        ) from None
    except (EOFError, zlib.error) as error:
        raise CorpusError(f"{path} is a broken gzip file ({error}): fetch or pack it again") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from None


def read_bytes(path: str) -> bytes:
    """The whole of a file, unpacked; for formats that cannot be streamed. Raises CorpusError as `open_bytes`."""
    with open_bytes(path) as stream:
        return stream.read()


def _check_text(path: str, head: bytes) -> None:
    """Raise CorpusError if the first bytes of a file show that it is no UTF-8 text at all."""
    if head.startswith(b"\x1f\x8b") and not is_gzip_name(path):
        raise CorpusError(f"{path} is gzip: rename it to {path}.gz")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CorpusError(f"{path} is UTF-16, and UTF-8 is needed: iconv -f UTF-16 -t UTF-8 {path} > NEW")
    unreadable = sum(
        ch == "\ufffd" or (ch < " " and ch not in "\t\n\r\f\x1b") for ch in head.decode("utf-8", "replace")
    )
    if head and unreadable > 0.3 * len(head):
        raise CorpusError(
            f"{path} is not UTF-8 text: {unreadable} of its first {len(head)} bytes cannot be read; if it is text in another "
            f"encoding, convert it (iconv -f ENCODING -t UTF-8), if it is another format, name its kind"
        )


def decode_line(raw: bytes, where: str) -> str | BadLine:
    """The text of one line, or a bad line that names the first byte which is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"byte 0x{raw[error.start]:02x} at position {error.start + 1} is not UTF-8"
        return BadLine(where, reason, excerpt(raw.decode("utf-8", "backslashreplace")))


def read_lines(path: str) -> Iterator[Line | BadLine]:
    """The lines of a UTF-8 file (a byte order mark is passed over), one at a time; ends are ``\\n`` or ``\\r\\n`` only.

    A line that is not UTF-8 comes as a BadLine. Raises CorpusError if the file cannot be read or is no text.
    """
    with open_bytes(path) as stream:
        _check_text(path, stream.peek(_HEAD)[:_HEAD])  # peek and not seek: a pipe is a file too
        for number, raw in enumerate(stream, start=1):
            body = raw.removesuffix(b"\n")
            end = "\n" if len(body) < len(raw) else ""
            if end and body.endswith(b"\r"):
                body, end = body[:-1], "\r\n"
            text = decode_line(body, f"{path}:{number}")
            if isinstance(text, BadLine):
                yield text
            else:
                yield Line(number, text.removeprefix(_BOM) if number == 1 else text, end)


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A stream for the new content of `path` (packed when it ends in .gz), put in place as by `whole_file`.

    When the block raises, or is interrupted, what was at `path` stays untouched. Raises CorpusError if the folder is missing
    or cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise CorpusError(f"{path} is a folder, and a file is to be written: name a file in it")
    try:
        with whole_file(target) as part:
            with open(part, "wb") as plain:
                if is_gzip_name(path):
                    # without a name and a time, the same content gives the same bytes
                    with gzip.GzipFile(filename="", fileobj=plain, mode="wb", mtime=0) as packed:
                        yield cast(BinaryIO, packed)
                else:
                    yield plain
            if target.is_file():
                shutil.copymode(target, part)
    except OSError as error:
        raise CorpusError(f"{path} cannot be written: {error.strerror or error}") from None
