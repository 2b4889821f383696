"""What a reader is, and where readers are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from endash.config import Config
from endash.corpora.record import BadLine, Record
from endash.corpora.scripts import known_language
from endash.errors import CorpusError, nearest
from endash.registry import Registry


@dataclass(frozen=True, slots=True)
class Job:
    """A stretch of a file that is being translated.

    `texts` are its sources; `write` is given as many translations and returns the stretch as it is to be written.
    `kept` counts translations that were there and stay, `where` says which stretch it is.
    """

    texts: tuple[str, ...]
    write: Callable[[list[str]], str]
    kept: int = 0
    where: str = ""


def verbatim(text: str) -> Job:
    """A stretch that holds nothing to translate."""
    return Job((), lambda _: text)


class Reader(ABC):
    """Reads the pairs of one format. A class of its own for each format, registered in `readers` with its nested Config.

    `family` is what its records are called, if they are. `leaves_out` tells that what has no translation yet is passed over.
    """

    Config: ClassVar[type[Config]]
    leaves_out: ClassVar[bool] = False
    family: str = ""

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def read(self) -> Iterator[Record | BadLine]:
        """The records in the file's order, and the lines that hold none. Raises CorpusError if the file cannot be read."""

    def sources(self) -> Iterator[Record | BadLine]:
        """As `read`, but for what is to be answered: targets are not looked at, and need not be there.

        Raises CorpusError if the format passes over what has no target, and so would leave sources out.
        """
        if self.leaves_out:
            raise CorpusError(
                f"{self.config.path}: what has no translation yet is passed over in a file of the format {self.config.kind!r}: "
                "fill in what is missing by endash translate MODEL --in FILE --out FILE, or answer the rows of a .tsv or "
                ".jsonl file"
            )
        return self.read()

    def target_language(self) -> str | None:
        """The code of the target's language: by what the recipe or the command calls it, or by what the file says of itself."""
        return known_language(str(getattr(self.config, "target", "")))

    def jobs(self) -> Iterator[Job]:
        """The file in stretches, for `translate_file`. Raises CorpusError if the format cannot be written."""
        kinds = sorted(kind for kind in readers if readers[kind].jobs is not Reader.jobs)
        raise CorpusError(
            f"the format {self.config.kind!r} is only read, and cannot be written: translate a file of {', '.join(kinds)}"
        )


readers: Registry[Reader] = Registry("reader")


def column_error(where: str, asked: str | int, found: list[str]) -> CorpusError:
    """The error for a column or field that is not there: what was found, the nearest first."""
    return CorpusError(f"{where}: no column {asked!r}: {nearest(str(asked), found)}")


def guess_columns(where: str, found: list[str], how: str) -> tuple[str, str]:
    """The source and target column among those `found`: named so, or the only two.

    Raises CorpusError, with `how` to name them, when there is a choice.
    """
    if "source" in found:
        return "source", "target"
    if len(found) == 1:
        return found[0], "target"
    if len(found) == 2:
        return found[0], found[1]
    raise CorpusError(f"{where} has the columns {', '.join(found) or 'none'}: name source and target, as in {how}")
