"""Text in and out of a command: strict UTF-8, and one line out for each line in."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from endash.errors import LongTextError, TextError

CHUNK = 512  # lines handled at once: enough to fill batches, and the first answers come soon


def read_lines() -> Iterator[str]:
    """The lines of standard input without their ends and without a byte order mark. Raises TextError that names a line which is not UTF-8."""
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise TextError(
                f"standard input, line {number}: byte 0x{line[error.start]:02x} at position {error.start + 1} is not UTF-8: "
                "convert the text first, such as with iconv -f latin1 -t utf-8"
            ) from None


def read_chunks() -> Iterator[list[str]]:
    """The lines of standard input, many at a time; one at a time where somebody types them."""
    lines = read_lines()
    size = 1 if sys.stdin.isatty() else CHUNK
    while chunk := list(islice(lines, size)):
        yield chunk


@contextmanager
def naming_lines(first: int) -> Iterator[None]:
    """Turns a text that is too long, of those from line `first` on, into a TextError that names its line."""
    try:
        yield
    except LongTextError as error:
        raise TextError(f"standard input, line {first + error.row}: {error.reason}") from None


def read_all(what: str) -> list[str]:
    """All lines of standard input. Raises TextError where there is none."""
    lines = list(read_lines())
    if not lines:
        raise TextError(f"standard input is empty: give {what} a line, such as echo 'A sentence.' | endash …")
    return lines


class OutputError(Exception):
    """Standard output cannot be written; the cause is the system's error."""


@contextmanager
def output() -> Iterator[None]:
    """Whatever prints results stands in this block, and they are out when it ends. Raises OutputError."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        raise OutputError from error


def write_lines(lines: Iterable[str]) -> None:
    """Write each as one line of UTF-8 to standard output, at once; a line break within one becomes a space."""
    text = "".join(f"{one_line(line)}\n" for line in lines)
    with output():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())


def one_line(text: str) -> str:
    """`text` with every line break as a space."""
    return " ".join(text.splitlines())
