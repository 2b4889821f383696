"""What every model has: vocabularies and a network that encodes, saved as one folder.

Shapes: B batch, S source positions.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

from endash import model_folder
from endash.corpora import Record
from endash.decoding.pieces import check_list
from endash.encoding import SourceNetwork
from endash.errors import ModelError
from endash.files import whole_folder
from endash.memory import Memory
from endash.reading import Reading, Source, batches, read
from endash.recipe import Recipe
from endash.retrieval import PairIndex
from endash.signals import pad_signals
from endash.text import PAD, Codec

N = TypeVar("N", bound=SourceNetwork)


class EncodingModel(ABC, Generic[N]):
    """A recipe, vocabularies and a network whose encoder reads them: what models that write text and labels share.

    Attributes:
        recipe: how it was made, and how it decodes by default.
        task: what it is for.
        codec: its vocabularies.
        network: its parameters, as a torch module.
        pairs: the translation memory that it reads, where its recipe has ``[retrieval]``.
    """

    def __init__(self, recipe: Recipe, codec: Codec, network: N, *, pairs: PairIndex | None = None) -> None:
        self.recipe, self.codec, self.network, self.pairs = recipe, codec, network, pairs
        self.task = recipe.does
        self._origin: tuple[int, str] | None = None

    @classmethod
    @abstractmethod
    def shaped(cls, recipe: Recipe, codec: Codec, *, pairs: PairIndex | None = None) -> Self:
        """A model of this recipe, its parameters not to be relied on."""

    @classmethod
    def build(cls, recipe: Recipe, codec: Codec, *, pairs: PairIndex | None = None) -> Self:
        """A model with fresh parameters, drawn from torch's generator; an encoder that was trained before brings its own."""
        model = cls.shaped(recipe, codec, pairs=pairs)
        model.network.encoder.begin()
        return model

    def encode(self, sources: Sequence[Source], *, progress: Callable[[int], None] | None = None) -> Memory:
        """The memory of sources, one row each: texts, or whatever this model's task reads, or records of a corpus.

        What a record joins, and what the translation memory has on it, is joined. The memory is made in batches of
        ``decoding.batch_tokens``; `progress` is called with the size of each.
        Raises TextError for a text that is longer than the model takes.
        """
        check_list(sources)
        readings = self.read(sources)
        places = list(batches([one.length for one in readings], self.recipe.decoding.batch_tokens)) or [[]]
        memories = []
        for batch in places:
            memories.append(self.encode_read([readings[i] for i in batch]))
            if progress is not None:
                progress(len(batch))
        order = [i for batch in places for i in batch]
        rows = sorted(range(len(order)), key=order.__getitem__)
        return replace(Memory.stack(memories).select(rows), origin=self.origin)

    def read(self, sources: Sequence[Source]) -> list[Reading]:
        """What the encoder is given of each source. Raises TextError for a text that is longer than the model takes."""
        return read(
            [self.record(one) for one in sources], self.task, self.codec, pairs=self.pairs, passages=self.recipe.joins
        )

    def record(self, source: Source) -> Record:
        """A source as a record; one that is a record is given back. Raises CorpusError for what the task does not read."""
        return source if isinstance(source, Record) else self.task.record(source)

    @torch.no_grad()
    def encode_read(self, readings: Sequence[Reading]) -> Memory:
        """The memory of one batch, without its origin."""
        self.network.eval()
        passages = tuple(map(self.padded, zip(*(one.passages for one in readings), strict=True)))
        rows: list[Any] = [one.source for one in readings]
        source = self.padded(rows) if self.task.reads == "text" else pad_signals(rows, self.device)
        memory = self.network.encode(source, passages)
        return replace(memory, sources=tuple(one.text for one in readings))

    def memory_keys(self, sources: Sequence[Source]) -> list[str]:
        """What the memory of each source is called in a `MemoryStore`.

        It is a fingerprint of what is read of the source and of the origin: where the encoder, or the pairs that are read
        beside it, have changed, so has the key. Raises LongTextError for a text that is longer than the model takes.
        """
        check_list(sources)
        origin = self.origin
        return [one.key(origin) for one in self.read(sources)]

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.network.parameters()).device

    @property
    def origin(self) -> str:
        """Fingerprint of all that a memory depends on: the encoder's settings and parameters, its dtype, the vocabulary, and
        whether the states of each layer are kept."""
        network = self.network
        modules = (network.source_embedding, network.segment_embedding, network.frontend, network.encoder)
        parameters = [one.detach() for module in modules if module is not None for one in module.parameters()]
        contents = [one.cpu().contiguous().flatten().view(torch.uint8).numpy().data for one in parameters]
        about = [f"{tuple(one.shape)} {one.dtype}" for one in parameters]
        # of each call: torch's own counter of changes knows nothing of a fused optimiser, of .data and of a new dtype
        seen = hash((*about, *map(zlib.crc32, contents)))
        if self._origin is None or self._origin[0] != seen:
            told = hashlib.blake2b(self.codec.fingerprint().encode(), digest_size=16)
            elsewhere: Any = {"folder": True, "encoder": {"folder"}}  # what was read there is in the parameters
            told.update(self.recipe.encoder.model_dump_json(exclude=elsewhere).encode())
            if self.recipe.frontend is not None:
                told.update(self.recipe.frontend.model_dump_json().encode())
            told.update(b"layers" if self.network.keeps_layers else b"")
            for one, content in zip(about, contents, strict=True):
                told.update(one.encode())
                told.update(content)
            self._origin = seen, told.hexdigest()
        return self._origin[1]

    def save(self, path: str | os.PathLike[str], *, notes: Sequence[str] = ()) -> None:
        """Write the model as one folder; `notes` are lines for its model card, such as its scores.

        Until all of it is written, what stood at `path` stays. Raises ModelError if that is anything but a model, or
        if the model cannot be written.
        """
        model_folder.check_replaceable(Path(path))
        try:
            with whole_folder(Path(path)) as new:
                model_folder.write_parameters(new, self.network)
                (new / model_folder.RECIPE).write_text(self.recipe.to_toml(), encoding="utf-8")
                self.codec.save(new / model_folder.TEXT)
                if self.pairs is not None:
                    self.pairs.save(new / model_folder.PAIRS)
                self._save_more(new)
                card = model_folder.card(self.recipe, self.network, notes)
                (new / model_folder.CARD).write_text(card, encoding="utf-8")
        except OSError as error:
            raise ModelError(
                f"{path}: the model cannot be written ({error.strerror or error}): free some space or name another place"
            ) from error

    def _save_more(self, folder: Path) -> None:
        """Write what only this kind of model has."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model in a folder that `save` wrote, or the best one of a run. No code in the folder is run.

        Raises ModelError for a folder that is missing, incomplete, or whose parts do not fit together, or a model of another kind.
        """
        where = model_folder.find(Path(path))
        return cls.of_folder(where, Recipe.load(where / model_folder.RECIPE, run_plugins=False))

    @classmethod
    def of_folder(cls, folder: Path, recipe: Recipe) -> Self:
        """The model of this recipe in its folder; see `load`."""
        codec = Codec.load(folder / model_folder.TEXT)
        pairs = PairIndex.load(folder / model_folder.PAIRS) if recipe.retrieval else None
        model = cls.shaped(recipe, codec, pairs=pairs)
        model_folder.read_parameters(folder, model.network)
        model.network.eval()
        return model

    def padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Token ids (B, S), padded with 0, where the network is."""
        tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
        if not any(map(len, rows)):
            return torch.zeros(len(rows), 1, dtype=torch.long, device=self.device)
        return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=PAD).to(self.device)
