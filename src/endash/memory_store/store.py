"""The store of memories: content-addressed, on disk, bounded, and shared by processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, get_args

from safetensors import SafetensorError

from endash.errors import MemoryStoreError, nearest
from endash.memory import Memory
from endash.memory_store.database import Database
from endash.memory_store.packing import Packed, Precision, pack, unpack

_FILE = "memories.sqlite"
_MAX_BYTES = 8 * 2**30
_AT_ONCE = 64  # texts of about one length that are encoded before they are written


class Encodes(Protocol):
    """What a store asks of a model."""

    def memory_keys(self, texts: Sequence[str]) -> list[str]:
        """A key for each text's memory, which changes with all that the memory depends on."""

    def encode(self, texts: Sequence[str]) -> Memory:
        """The memory of these texts, a row each."""


class MemoryStore:
    """Memories of single sources in a folder, by the keys that `Model.memory_keys` gives their texts.

    Several processes and threads may use one folder at once, on a local disk. What was stored is whole, or not there, also
    after a process was killed or the disk was full. A store pickles as its folder's name.

    Attributes:
        folder: where it is.
        precision: what floating-point numbers are kept in; read back they have the dtype of the model.
        dropped: how many memories went, through this object, to make room.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, max_bytes: int | None = None, precision: Precision | None = None
    ) -> None:
        """Open the store of a folder, or make one.

        Args:
            folder: made if it is not there.
            max_bytes: the most that the file takes on disk (8 GiB in a new store). The memories used least recently go
                first. It holds for everybody who uses the store; None leaves it as it is.
            precision: float32 (in a new store), float16, or int8 with a scale for each position. It is what the store was
                made with; None takes that.

        Raises:
            MemoryStoreError: another precision than the store's; a file that is broken or cannot be written.
        """
        if precision not in (None, *get_args(Precision)):
            raise MemoryStoreError(f"precision = {precision!r}: {nearest(str(precision), get_args(Precision))}")
        self.folder, self.dropped = Path(folder).absolute(), 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MemoryStoreError(f"{folder}: {error.strerror}: name a folder that can be made") from error
        self._database = Database(self.folder / _FILE)
        settled = self._database.settle(max_bytes=(max_bytes, _MAX_BYTES), precision=(precision, "float32"))
        self.precision: Precision = settled["precision"]  # type: ignore[assignment]
        if precision not in (None, self.precision):
            raise MemoryStoreError(
                f"{folder} holds memories in {self.precision}, and {precision} was asked for: leave precision out, or "
                "name another folder"
            )
        if max_bytes not in (None, settled["max_bytes"]):
            self.dropped += self._database.limit(max_bytes)

    @classmethod
    def find(cls, folder: str | os.PathLike[str]) -> MemoryStore:
        """The store that is in a folder. Raises MemoryStoreError if there is none."""
        if not (Path(folder) / _FILE).is_file():
            raise MemoryStoreError(
                f"{folder}: there is no memory store; make one with `endash encode MODEL --store {folder}`"
            )
        return cls(folder)

    def __reduce__(self) -> tuple[type[MemoryStore], tuple[Path]]:
        return MemoryStore, (self.folder,)

    def __len__(self) -> int:
        return len(self._database)

    def __contains__(self, key: str) -> bool:
        return bool(self._database.touch([key]))

    def __getitem__(self, key: str) -> Memory:
        """The memory of this key, one row. Raises MemoryStoreError if it is not there."""
        memory = self.get(key)
        if memory is None:
            raise MemoryStoreError(
                f"{self.folder} has no memory {key!r}: it was never stored, or went to make room; "
                "store.memory(model, [text]) encodes and keeps it"
            )
        return memory

    def get(self, key: str) -> Memory | None:
        """The memory of this key, one row; None if it is not there."""
        packed = self._database.get([key]).get(key)
        return None if packed is None else self._unpack(packed)

    @property
    def bytes(self) -> int:
        """What the file takes on disk."""
        return self._database.bytes

    def memory(self, model: Encodes, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Memory:
        """The memory of texts, a row each in their order; what is not stored yet is encoded, and stored.

        It is the same whether a row was there or not: also a row that was just encoded has gone through the store's
        precision. `progress` is called with the number of texts that were finished since the last call. Raises TextError for a
        text that is longer than the model takes.
        """
        keys = model.memory_keys(texts)
        found = self._database.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        _tell(progress, len(texts) - len(missing))
        for key, packed in self._encode(model, missing):
            found[key] = packed
            _tell(progress, 1)
        rows = {key: self._unpack(packed) for key, packed in found.items()}
        return Memory.stack([rows[key] for key in keys] or [model.encode([])])

    def add(self, model: Encodes, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> int:
        """Encode and store those of the texts that are not stored yet; gives how many these were. `progress` as above."""
        missing = dict(zip(model.memory_keys(texts), texts, strict=True))
        for key in self._database.touch(missing):
            del missing[key]
        _tell(progress, len(texts) - len(missing))
        for _ in self._encode(model, missing):
            _tell(progress, 1)
        return len(missing)

    def _encode(self, model: Encodes, missing: Mapping[str, str]) -> Iterator[tuple[str, Packed]]:
        """Each of these texts' memory, stored."""
        keys = sorted(missing, key=lambda key: len(missing[key]))
        for first in range(0, len(keys), _AT_ONCE):
            batch = keys[first : first + _AT_ONCE]
            memory = model.encode([missing[key] for key in batch])
            for row, key in enumerate(batch):
                packed = pack(memory.select([row]).trim(), self.precision)
                self.dropped += self._database.put(key, packed)
                yield key, packed

    def _unpack(self, packed: Packed) -> Memory:
        try:
            return unpack(packed)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise MemoryStoreError(
                f"{self.folder / _FILE} holds an entry that is no memory ({error}): remove it; the memories are "
                "encoded again when they are needed"
            ) from error


def _tell(progress: Callable[[int], None] | None, more: int) -> None:
    if progress is not None:
        progress(more)
