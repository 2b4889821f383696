"""A model: vocabularies and a network, text in and text out, saved as one folder.

Shapes: B batch, S source positions, T target positions, K beams, V vocabulary.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor, nn

from endash import latent, lowering, model_folder
from endash.combination import kind_of, why_not_search
from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found, Hypothesis
from endash.decoding.pieces import Piece, check_list, check_prefixes, prefixes_of, split, translate
from endash.errors import MemoryMismatchError, ModelError, RecipeError
from endash.evaluation.alignment import align_words
from endash.files import whole_folder
from endash.memory import Memory
from endash.network import Network, Watched
from endash.path import Path as SearchPath
from endash.reading import Reading, batches, lengths, read
from endash.recipe import Recipe
from endash.retrieval import PairIndex
from endash.shortlist import Shortlist
from endash.text import EOS, PAD, Codec
from endash.text.foreign import ForeignTokenizer


class Model:
    """An encoder–decoder model with its text: ``model("text")``, or step by step by `encode` and `decode`.

    Attributes:
        recipe: how it was made, and how it decodes by default.
        codec: its vocabularies.
        network: its parameters, as a torch module.
        pairs: the translation memory that it reads, where its recipe has ``[retrieval]``.
        shortlist: which target tokens may be written for which source tokens, where that was learned.
    """

    def __init__(self, recipe: Recipe, codec: Codec, network: Network, *, pairs: PairIndex | None = None) -> None:
        self.recipe, self.codec, self.network, self.pairs = recipe, codec, network, pairs
        self.shortlist: Shortlist | None = None
        self._origin: tuple[int, str] | None = None
        self._path: SearchPath | None = None

    @classmethod
    def build(cls, recipe: Recipe, codec: Codec, *, pairs: PairIndex | None = None) -> Model:
        """A model with fresh parameters, drawn from torch's generator; an encoder that was trained before brings its own."""
        model = cls._shaped(recipe, codec, pairs)
        model.network.encoder.begin()
        return model

    @classmethod
    def _shaped(cls, recipe: Recipe, codec: Codec, pairs: PairIndex | None) -> Model:
        network = Network(
            recipe.encoder,
            recipe.link,
            recipe.decoder,
            head=recipe.head,
            source_size=codec.size_source,
            target_size=codec.size_target,
            passages=recipe.retrieval.passages if recipe.retrieval else 0,
        )
        return cls(recipe, codec, network, pairs=pairs)

    @overload
    def __call__(self, text: str, **decoding: Any) -> str: ...
    @overload
    def __call__(self, text: list[str], **decoding: Any) -> list[str]: ...
    def __call__(self, text: str | list[str], **decoding: Any) -> str | list[str]:
        """What the model makes of a text, or of each text of a list; `decoding` as for `translate`."""
        texts = [text] if isinstance(text, str) else text
        best = [found[0].text for found in self.translate(texts, scored=False, **decoding)]
        return best[0] if isinstance(text, str) else best

    def translate(
        self,
        texts: Sequence[str],
        *,
        prefixes: Sequence[str] | None = None,
        alignment: bool = False,
        scored: bool = True,
        progress: Callable[[int], None] | None = None,
        **decoding: Any,
    ) -> list[list[Hypothesis]]:
        """Up to `n_best` hypotheses for each text, best first, in the order of the texts.

        A text longer than the model takes is split at its sentences and gets one hypothesis, put together again.

        Args:
            texts: sources.
            prefixes: what each target is to begin with, an empty text where that is free; white space at its end is left out, and
                a blank text stays blank.
            alignment: also align words, for one forward pass more.
            scored: False where scores and tokens are not looked at: they may then be left out, which takes less time.
            progress: called with the number of texts that were finished since the last call.
            decoding: changes of the recipe's ``[decoding]``, such as ``beam=4`` or ``n_best=2``.

        Raises:
            TextError: a sentence is longer than the model takes, or a text that has a prefix.
            ModelError: a prefix is longer than a target may be.
            RecipeError: a wrong `decoding`.
        """
        config = self.decoding(**decoding)
        check_prefixes(texts, prefixes)

        def decode(some: list[Piece]) -> Iterator[tuple[Sequence[int], list[list[Hypothesis]]]]:
            begun = prefixes_of(some, prefixes)
            if self.path.reads_sources(config):
                core, how = self.path.core(config), {"alignment": alignment, "scored": scored}
                yield from self.path.served.decode(core, some, config, prefixes=begun, **how)
                return
            for batch in batches(self._lengths([piece.text for piece in some]), config.batch_tokens):
                with self.path.products(config):
                    memory = self._encode([some[i].text for i in batch])
                rows, own = [some[i].row for i in batch], begun and [begun[i] for i in batch]
                yield batch, self._write(memory, config, rows=rows, prefixes=own, alignment=alignment)

        return translate(texts, self.codec.split_source, decode, progress=progress)

    @property
    def path(self) -> SearchPath:
        """How it searches: by the native core or by PyTorch, and why."""
        if self._path is None or self._path.shortlist is not self.shortlist or self._path.network is not self.network:
            self._path = SearchPath(self.recipe, self.codec, self.network, self.shortlist)
        return self._path

    def describe_path(self, **decoding: Any) -> str:
        """One line that says how such a `decoding` is done: by the native core, or by PyTorch and why."""
        return self.path.describe(self.decoding(**decoding))

    def check(self, texts: Sequence[str]) -> None:
        """Raise LongTextError for the first text that `translate` would refuse, before anything is translated."""
        split(texts, self.codec.split_source)

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Memory:
        """The memory of texts, one row each, with what the translation memory has on them joined.

        It is made in batches of ``decoding.batch_tokens``; `progress` is called with the size of each.
        Raises TextError for a text that is longer than the model takes.
        """
        check_list(texts)
        places = list(batches(self._lengths(texts), self.recipe.decoding.batch_tokens)) or [[]]
        memories = []
        for batch in places:
            memories.append(self._encode([texts[i] for i in batch]))
            if progress is not None:
                progress(len(batch))
        order = [i for batch in places for i in batch]
        rows = sorted(range(len(order)), key=order.__getitem__)
        return replace(Memory.stack(memories).select(rows), origin=self.origin)

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> Memory:
        self.network.eval()
        readings = self._read(texts)
        passages = tuple(map(self._tensor, zip(*(one.passages for one in readings), strict=True)))
        memory = self.network.encode(self._tensor([one.tokens for one in readings]), passages)
        return replace(memory, sources=tuple(texts))

    def memory_keys(self, texts: Sequence[str]) -> list[str]:
        """What the memory of each text is called in a `MemoryStore`.

        It is a fingerprint of the text, of the pairs that are read beside it and of the origin: where the encoder or those
        pairs have changed, so has the key. Raises LongTextError for a text that is longer than the model takes.
        """
        check_list(texts)
        origin = self.origin
        return [one.key(origin) for one in self._read(texts)]

    def decode(self, memory: Memory, *, progress: Callable[[int], None] | None = None, **decoding: Any) -> list[str]:
        """The best hypothesis for each row of a memory that this model encoded, now or on another day.

        White space alone comes back as it is, as from `translate`.
        Raises MemoryMismatchError for a memory of another model; `decoding` and `progress` as for `translate`.
        """
        if memory.origin != self.origin:
            raise MemoryMismatchError(
                f"this memory comes from another encoder (origin {memory.origin or 'unknown'!r}, this model's is "
                f"{self.origin!r}): decode it with the model that encoded it, or encode its sources again"
            )
        config = self.decoding(**decoding)
        memory = memory.to(self.device, self.network.target_embedding.weight.dtype)
        texts = list(memory.sources)
        for batch in batches(memory.mask.sum(1).tolist(), config.batch_tokens):
            found = self._write(memory.select(batch).trim(), config, rows=batch)
            for row, hypotheses in zip(batch, found, strict=True):
                texts[row] = hypotheses[0].text if texts[row].strip() else texts[row]
            if progress is not None:
                progress(len(batch))
        return texts

    @torch.no_grad()
    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[float]:
        """log p(target | source) of each pair, in nats, with the end of sentence.

        Of a decoder that writes at once it is the log-probability of the length, and of the tokens when nothing else is known.
        Raises ModelError if there are not as many targets as sources.
        """
        if len(sources) != len(targets):
            raise ModelError(f"{len(sources)} sources and {len(targets)} targets: give one target for each source")
        scores, lengths = [0.0] * len(sources), self._lengths(sources)
        greedy = DecodingConfig(beam=1)
        if self.path.reads_sources(greedy):
            read = self.codec.encode_sources(sources)
            written = self.codec.encode_targets(targets, [source.placeholders for source in read])
            return self.path.served.score(self.path.core(greedy), [source.tokens for source in read], written)
        for batch in batches(lengths, self.recipe.decoding.batch_tokens):
            memory = self._encode([sources[i] for i in batch])
            placeholders = [source.placeholders for source in self.codec.encode_sources(memory.sources)]
            tokens = self.codec.encode_targets([targets[i] for i in batch], placeholders)
            totals = self.network.score(memory, self._tensor(tokens)).sum(1).tolist()
            for i, total in zip(batch, totals, strict=True):
                scores[i] = total
        return scores

    def sample(self, count: int, *, seed: int, **decoding: Any) -> list[str]:
        """New texts from latent vectors that are drawn; see `endash.latent.sample`."""
        return latent.sample(self, count, seed=seed, **decoding)

    def interpolate(self, first: str, last: str, *, steps: int, **decoding: Any) -> list[str]:
        """Texts on the way from one to another; see `endash.latent.interpolate`."""
        return latent.interpolate(self, first, last, steps=steps, **decoding)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.network.target_embedding.weight.device

    @property
    def origin(self) -> str:
        """Fingerprint of all that a memory depends on: the encoder's settings and parameters, its dtype, the vocabulary, and
        whether the states of each layer are kept."""
        modules = (self.network.source_embedding, self.network.segment_embedding, self.network.encoder)
        parameters = [one.detach() for module in modules if module is not None for one in module.parameters()]
        contents = [one.cpu().contiguous().flatten().view(torch.uint8).numpy().data for one in parameters]
        about = [f"{tuple(one.shape)} {one.dtype}" for one in parameters]
        # of each call: torch's own counter of changes knows nothing of a fused optimiser, of .data and of a new dtype
        seen = hash((*about, *map(zlib.crc32, contents)))
        if self._origin is None or self._origin[0] != seen:
            told = hashlib.blake2b(self.codec.fingerprint().encode(), digest_size=16)
            elsewhere: Any = {"folder": True, "encoder": {"folder"}}  # what was read there is in the parameters
            told.update(self.recipe.encoder.model_dump_json(exclude=elsewhere).encode())
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
                if self.shortlist is not None:
                    self.shortlist.save(new / model_folder.SHORTLIST)
                if self.path.serves:
                    self.path.served.save(new, shared=lowering.shared(self.network))
                card = model_folder.card(self.recipe, self.network, notes)
                (new / model_folder.CARD).write_text(card, encoding="utf-8")
        except OSError as error:
            raise ModelError(
                f"{path}: the model cannot be written ({error.strerror or error}): free some space or name another place"
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """The model in a folder that `save` wrote, or the best one of a run. No code in the folder is run.

        Raises ModelError for a folder that is missing, incomplete, or whose parts do not fit together.
        """
        where = model_folder.find(Path(path))
        recipe = Recipe.load(where / model_folder.RECIPE, run_plugins=False)
        codec = Codec.load(where / model_folder.TEXT)
        pairs = PairIndex.load(where / model_folder.PAIRS) if recipe.retrieval else None
        model = cls._shaped(recipe, codec, pairs)
        model_folder.read_parameters(where, model.network)
        if (where / model_folder.SHORTLIST).exists():
            model.shortlist = Shortlist.load(where / model_folder.SHORTLIST, (codec.size_source, codec.size_target))
        model.network.eval()
        return model

    @torch.no_grad()
    def search(
        self,
        memory: Memory,
        config: DecodingConfig | None = None,
        *,
        rows: Sequence[int] | None = None,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Found]]:
        """What search finds for each row of a memory, in tokens; by the recipe's ``[decoding]`` if `config` is None.

        `rows` are the rows' numbers in the input, which samples depend on; 0, 1, … by default. Each target begins with the tokens
        of its prefix.
        """
        self.network.eval()
        config = self._checked(config or self.recipe.decoding)
        return self.path.find(self._own(memory), memory, config, rows=rows, prefixes=prefixes)

    def decoding(self, **changes: Any) -> DecodingConfig:
        """The recipe's ``[decoding]``, changed. Raises RecipeError for what is wrong, or not for this decoder."""
        return self._checked(self.recipe.decoding.replace(**changes))

    def _checked(self, config: DecodingConfig) -> DecodingConfig:
        if reason := why_not_search(config, self.recipe.decoder):
            raise RecipeError(reason)
        return config

    def _write(
        self,
        memory: Memory,
        config: DecodingConfig,
        *,
        rows: Sequence[int],
        prefixes: Sequence[str] | None = None,
        alignment: bool = False,
    ) -> list[list[Hypothesis]]:
        """The hypotheses of a memory, as text."""
        placeholders = [source.placeholders for source in self.codec.encode_sources(memory.sources)]
        begun = None if prefixes is None else self.codec.encode_prefixes(prefixes, placeholders)
        return [
            [
                Hypothesis.of(
                    one,
                    self.codec,
                    placeholders[row],
                    self._align(memory.select([row]), one, placeholders[row]) if alignment else (),
                )
                for one in hypotheses
            ]
            for row, hypotheses in enumerate(self.search(memory, config, rows=rows, prefixes=begun))
        ]

    def _align(self, memory: Memory, found: Found, placeholders: Sequence[str]) -> tuple[tuple[int, int], ...]:
        """The words of a one-row memory's source and of what was found for it that belong together."""
        weights = self.watch(memory, found.tokens).weights
        if weights is None:
            raise ModelError(
                f"link.kind = {kind_of(self.recipe.link)!r} reads no source positions, so there is no alignment: "
                "ask for the text alone"
            )
        if isinstance(self.codec.source, ForeignTokenizer):
            raise ModelError(
                "encoder.kind = 'pretrained' has a vocabulary that does not say where the words of a source are, so there is "
                "no alignment: ask for the text alone"
            )
        source = self._own(memory)[0]
        mean_TS = weights[0].mean((0, 1))[: len(found.tokens), : len(source)]
        target = self.codec.target.pieces(found.tokens, placeholders)
        return align_words(mean_TS, self.codec.source.pieces(source, placeholders), target)

    @torch.no_grad()
    def watch(self, memory: Memory, tokens: Sequence[int]) -> Watched:
        """What the network reads, copies and scores while it writes these tokens, and the end after them, to each row."""
        return self.network.watch(memory, self._tensor([[*tokens, EOS]] * len(memory)))

    def _own(self, memory: Memory) -> list[list[int]]:
        """The tokens of each row's own source, without what was joined and without padding."""
        if memory.tokens is None or len(memory.sources) != len(memory):
            raise MemoryMismatchError(
                "a memory without its sources' texts and tokens cannot be decoded: encode it with model.encode"
            )
        own = memory.mask if memory.segments is None else memory.mask & (memory.segments == 0)
        return [tokens[where].tolist() for tokens, where in zip(memory.tokens, own, strict=True)]

    def _read(self, texts: Sequence[str]) -> list[Reading]:
        passages = self.recipe.retrieval.passages if self.recipe.retrieval else 0
        return read(texts, self.codec, limit=self.recipe.text.max_length, pairs=self.pairs, passages=passages)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return lengths(texts, self.codec, limit=self.recipe.text.max_length)

    def _tensor(self, rows: Sequence[Sequence[int]]) -> Tensor:
        tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
        if not any(map(len, rows)):
            return torch.zeros(len(rows), 1, dtype=torch.long, device=self.device)
        return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=PAD).to(self.device)


def load(path: str | os.PathLike[str]) -> Model:
    """The model in a folder; see `Model.load`."""
    return Model.load(path)
