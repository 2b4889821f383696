"""Tasks whose sources are sounds or pictures, each a file that a record names.

Shapes: N samples, H rows and W columns of pixels.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from endash.corpora import Record
from endash.corpora.media import Media
from endash.errors import CorpusError
from endash.example import Example
from endash.tasks.contract import Passages, Task, TooLong, shown
from endash.text import Codec

if TYPE_CHECKING:
    from endash.recipe import Recipe

_STRIDES = {"samples": (320,), "pixels": (16, 16)}  # of a position of wav2vec 2.0 and of a Vision Transformer


class SignalTask(Task):
    """A sound or a picture to a text. The vocabulary is that of the targets."""

    _last: tuple[Media, NDArray[Any]] | None = None  # the file that was read last: it is asked for its faults first

    @abstractmethod
    def read(self, data: bytes, name: str) -> NDArray[Any]:
        """The content of a file as the frontend takes it. Raises CorpusError, which names the file, for one that is broken."""

    def record(self, given: Any) -> Record:
        """See `Task.record`: the path of a file, which is read at once. Raises CorpusError for one that is missing or broken."""
        if not isinstance(given, str | os.PathLike) or not os.fspath(given):
            raise CorpusError(f"{shown(given)} names no file: give the path of one")
        path = os.fspath(given)
        if os.path.isdir(path):
            raise CorpusError(f"{path!r} is a folder: give the path of a file in it")
        file = Media(os.path.dirname(path) or ".", os.path.basename(path))
        return Record(path, "", media=self.signal(Record(path, "", media=file)))

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`."""
        if not recipe.text.joint:
            return "text.joint = false asks for a vocabulary of the source, which is no text: leave it out"
        if recipe.distillation is not None:
            return f"[distillation] has a teacher translate texts, and the sources here are {self.reads}: leave it out"
        return None

    def signal(self, record: Record) -> NDArray[Any]:
        """The sound or picture of a record: samples (N), or pixels (H, W, 3).

        Raises CorpusError for one that is missing or broken, or too short for a position of a memory.
        """
        if record.media is None:
            raise CorpusError(
                f'{record.source!r} is in no folder or archive: say where the files are, as files = "…" of the reader'
            )
        if not isinstance(record.media, Media):
            return record.media
        last = self._last
        if last is not None and last[0] is record.media:
            return last[1]
        signal = self.read(record.media.read(), record.source)
        if self.positions(signal.shape) == 0:
            raise CorpusError(
                f"{record.source} is too short, {len(signal)} samples: not one position of a memory comes of it; leave it out"
            )
        self._last = record.media, signal
        return signal

    def positions(self, shape: tuple[int, ...]) -> int:
        """How many positions of a memory come of a sound or picture of this shape; about so many of an encoder's own."""
        if self.frontend is not None:
            return int(self.frontend.positions(shape))
        return prod(max(1, size // stride) for size, stride in zip(shape, _STRIDES[self.reads], strict=False))

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        try:
            self.signal(record)
        except CorpusError as error:
            return str(error)
        return None

    def sources(self, record: Record) -> tuple[str, ...]:
        """See `Task.sources`: none is text."""
        return ("",)

    def examples(
        self, records: Sequence[Record], codec: Codec, *, passages: Passages | None = None
    ) -> Iterator[list[Example | TooLong]]:
        """See `Task.examples`."""
        for record in records:
            signal, limit = self.signal(record), codec.config.max_length
            targets = codec.encode_targets(self.targets(record), [()] * len(self.targets(record)))
            yield [Example(signal, one) if len(one) <= limit else TooLong("target") for one in targets]
