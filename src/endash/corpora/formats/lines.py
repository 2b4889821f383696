"""Plain text, a sentence a line: two files aligned by line number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import ClassVar, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.files import Line, read_lines
from endash.corpora.readers import Job, Reader, readers
from endash.corpora.record import BadLine, Record
from endash.errors import CorpusError

_BREAKS = re.compile(r"[\r\n]+")


class LinesConfig(Config):
    """Settings of the reader `lines`: the path of the sources and that of the targets."""

    paths: ClassVar = ("source", "target")  # the settings that are paths

    kind: Literal["lines"] = "lines"
    source: str = Field(min_length=1)
    target: str = Field(min_length=1)


@readers.register
class Lines(Reader):
    """Reads two files whose lines belong together: line 7 of one is the translation of line 7 of the other."""

    Config = LinesConfig
    config: LinesConfig

    def read(self) -> Iterator[Record | BadLine]:
        """A record for each line number. Raises CorpusError if one file has more lines, for then they are not aligned."""
        pairs = zip_longest(read_lines(self.config.source), read_lines(self.config.target))
        for number, (source, target) in enumerate(pairs, start=1):
            if source is None or target is None:
                longer = number + sum(1 for _ in pairs)
                self._uneven(*((number - 1, longer) if source is None else (longer, number - 1)))
            elif isinstance(source, BadLine):
                yield source
            elif isinstance(target, BadLine):
                yield target
            else:
                yield Record(source.text, target.text, f"{self.config.source}:{number}")

    def sources(self) -> Iterator[Record | BadLine]:
        """See `Reader.sources`: the target file need not be there."""
        return Lines(self.config.model_copy(update={"target": self.config.source})).read()

    def _uneven(self, sources: int, targets: int) -> None:
        raise CorpusError(
            f"{self.config.source} has {sources} lines and {self.config.target} has {targets}: aligned files have as many "
            "lines as each other; look for a line that was split or lost"
        )

    def jobs(self) -> Iterator[Job]:
        """Each line of the source file; the target file is not read."""
        for line in read_lines(self.config.source):
            if isinstance(line, BadLine):
                raise CorpusError(f"{line}: mend the line, nothing was written")
            yield self._job(line, f"{self.config.source}:{line.number}")

    @staticmethod
    def _job(line: Line, where: str) -> Job:
        def write(translations: list[str]) -> str:
            return _BREAKS.sub(" ", translations[0]) + (line.end or "\n")

        return Job((line.text,), write, where=where)
