"""A model that writes text: vocabularies and a network, saved as one folder.

Shapes: B batch, S source positions, T target positions, K beams, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, overload

import torch

from endash import latent, lowering, model_folder, prompting
from endash.combination import why_not_search
from endash.corpora import Record
from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found, Hypothesis
from endash.decoding.pieces import Cut, Piece, check_prefixes, prefixes_of, split, translate
from endash.errors import MemoryMismatchError, ModelError, RecipeError
from endash.evaluation.alignment import align_words
from endash.memory import Memory
from endash.model_base import EncodingModel
from endash.network import Network, Watched
from endash.path import Path as SearchPath
from endash.prompting import Shown
from endash.reading import Reading, Source, batches, read_texts
from endash.recipe import Recipe
from endash.registry import kind_of
from endash.retrieval import PairIndex
from endash.shortlist import Shortlist
from endash.text import EOS, PAD, Codec
from endash.text.foreign import ForeignTokenizer


class Model(EncodingModel[Network]):
    """An encoder–decoder model with its text: ``model("text")``, or step by step by `encode` and `decode`.

    Attributes: those of `EncodingModel`, and
        shortlist: which target tokens may be written for which source tokens, where that was learned.
    """

    def __init__(self, recipe: Recipe, codec: Codec, network: Network, *, pairs: PairIndex | None = None) -> None:
        super().__init__(recipe, codec, network, pairs=pairs)
        self.shortlist: Shortlist | None = None
        self._path: SearchPath | None = None

    @classmethod
    def shaped(cls, recipe: Recipe, codec: Codec, *, pairs: PairIndex | None = None) -> Self:
        """See `EncodingModel.shaped`. Raises ModelError for a recipe whose task writes no text."""
        if recipe.does.writes != "text":
            raise ModelError(
                f"this is a model of task.kind = {kind_of(recipe.task)!r}, which writes no text but {recipe.does.writes}: "
                "ask it by endash predict, or load it by endash.load"
            )
        network = Network(
            recipe.encoder,
            recipe.link,
            recipe.decoder,
            head=recipe.head,
            source_size=codec.size_source,
            target_size=codec.size_target,
            passages=recipe.joins,
            frontend=recipe.frontend,
            alike=recipe.does.alike,
        )
        return cls(recipe, codec, network, pairs=pairs)

    @overload
    def __call__(self, source: str, *, examples: Shown = (), **decoding: Any) -> str: ...
    @overload
    def __call__(self, source: list[Any], *, examples: Shown = (), **decoding: Any) -> list[str]: ...
    def __call__(self, source: Any, *, examples: Shown = (), **decoding: Any) -> str | list[str]:
        """What the model writes for a source, or for each source of a list; examples as for `prompt`, `decoding` as for `translate`.

        A source is a text, or what else the model's task reads: the name of a sound or picture, a record of a corpus.
        """
        sources = source if isinstance(source, list) else [source]
        answers = self.answer([self.record(one) for one in sources], examples=examples, **decoding)
        return answers if isinstance(source, list) else answers[0]

    @overload
    def prompt(self, text: str, *, examples: Shown = (), **decoding: Any) -> str: ...
    @overload
    def prompt(self, text: list[str], *, examples: Shown = (), **decoding: Any) -> list[str]: ...
    def prompt(self, text: str | list[str], *, examples: Shown = (), **decoding: Any) -> str | list[str]:
        """What the model writes for a text that says what is asked, or for each of a list, with examples of it or without any.

        Examples are pairs (source, target), the source as the text would be put; they are encoded once for all texts, or have been
        by `encode_examples`. There may be more than the model has learned with. Raises as `answer`.
        """
        return self(text, examples=examples, **decoding)

    def encode_examples(self, examples: Sequence[tuple[str, str]]) -> Memory:
        """The memory of pairs (source, target), a row each, for `prompt`; see `endash.prompting.encode`."""
        return prompting.encode(self, examples)

    def answer(
        self,
        records: Sequence[Record],
        *,
        examples: Shown = (),
        progress: Callable[[int], None] | None = None,
        **decoding: Any,
    ) -> list[str]:
        """The best text for each record, by these examples (`prompt`); `progress` and `decoding` as for `translate`.

        What is too long is answered sentence by sentence if the task allows it, and else refused.
        Raises as `translate`, for `n_best` too, and for the examples as `endash.prompting.beside`.
        """
        config, shown = self._of_one(decoding), prompting.beside(self, examples)
        if self.task.reads == "text" and self.recipe.does.joins == 0:
            texts = [self.task.sources(self.task.fit(record, self.codec))[0] for record in records]
            return [found[0].text for found in self.translate(texts, scored=False, progress=progress, **decoding)]
        readings = self.read(records)
        answers = [""] * len(records)
        for batch in batches(_lengths(readings, shown), config.batch_tokens):
            with self.path.products(config):
                memory = prompting.joined(self.encode_read([readings[i] for i in batch]), shown)
            for row, found in zip(batch, self._write(memory, config, rows=batch), strict=True):
                answers[row] = found[0].text
            if progress is not None:
                progress(len(batch))
        return answers

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

        A text longer than the model takes is split at its sentences and gets one hypothesis, put together again; or it is refused,
        where the model's task does not allow that. What a task leaves out of a text that is too long, `answer` does.

        Args:
            texts: sources as they stand; a task that makes them of something else is asked by `answer`.
            prefixes: what each target is to begin with, an empty text where that is free; white space at its end is left out, and
                a blank text stays blank.
            alignment: also align words, for one forward pass more.
            scored: False where scores and tokens are not looked at: they may then be left out, which takes less time.
            progress: called with the number of texts that were finished since the last call.
            decoding: changes of the recipe's ``[decoding]``, such as ``beam=4`` or ``n_best=2``.

        Raises:
            TextError: a sentence is longer than the model takes, or a text that has a prefix or is not to be split.
            ModelError: the model reads no text, or a prefix is longer than a target may be.
            RecipeError: a wrong `decoding`.
        """
        if self.task.reads != "text":
            raise ModelError(
                f"this model reads {self.task.reads} and no text: ask it by endash predict, or as model([…])"
            )
        config = self.decoding(**decoding)
        check_prefixes(texts, prefixes)

        def decode(some: list[Piece]) -> Iterator[tuple[Sequence[int], list[list[Hypothesis]]]]:
            begun = prefixes_of(some, prefixes)
            if self.path.reads_sources(config):
                core, how = self.path.core(config), {"alignment": alignment, "scored": scored}
                yield from self.path.served.decode(core, some, config, prefixes=begun, **how)
                return
            readings = self._read_texts([piece.text for piece in some])
            for batch in batches([one.length for one in readings], config.batch_tokens):
                with self.path.products(config):
                    memory = self.encode_read([readings[i] for i in batch])
                rows, own = [some[i].row for i in batch], begun and [begun[i] for i in batch]
                yield batch, self._write(memory, config, rows=rows, prefixes=own, alignment=alignment)

        return translate(texts, self._cut, decode, progress=progress)

    @property
    def _cut(self) -> Cut:
        """How a text becomes pieces that the model takes."""
        return self.codec.split_source if self.task.by_sentence else self.codec.whole_source

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
        split(texts, self._cut)

    def decode(self, memory: Memory, *, progress: Callable[[int], None] | None = None, **decoding: Any) -> list[str]:
        """The best hypothesis for each row of a memory that this model encoded, now or on another day.

        White space alone comes back as it is, as from `translate`.
        Raises MemoryMismatchError for a memory of another model, and RecipeError for `n_best`; `decoding` and `progress` as for
        `translate`.
        """
        if memory.origin != self.origin:
            raise MemoryMismatchError(
                f"this memory comes from another encoder (origin {memory.origin or 'unknown'!r}, this model's is "
                f"{self.origin!r}): decode it with the model that encoded it, or encode its sources again"
            )
        config = self._of_one(decoding)
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
    def score(self, sources: Sequence[Source], targets: Sequence[str], *, examples: Shown = ()) -> list[float]:
        """log p(target | source) of each pair, in nats, with the end of sentence; given examples, by these (`prompt`).

        A source is what the model's task reads, or a record of a corpus.
        Of a decoder that writes at once it is the log-probability of the length, and of the tokens when nothing else is known.
        Raises ModelError if there are not as many targets as sources.
        """
        if len(sources) != len(targets):
            raise ModelError(f"{len(sources)} sources and {len(targets)} targets: give one target for each source")
        scores, readings, shown = [0.0] * len(sources), self.read(sources), prompting.beside(self, examples)
        greedy = DecodingConfig(beam=1)
        if self.path.reads_sources(greedy):
            read = self.codec.encode_sources([one.text for one in readings])
            written = self.codec.encode_targets(targets, [source.placeholders for source in read])
            return self.path.served.score(self.path.core(greedy), [source.tokens for source in read], written)
        for batch in batches(_lengths(readings, shown), self.recipe.decoding.batch_tokens):
            memory = prompting.joined(self.encode_read([readings[i] for i in batch]), shown)
            placeholders = [source.placeholders for source in self.codec.encode_sources(memory.sources)]
            tokens = self.codec.encode_targets([targets[i] for i in batch], placeholders)
            totals = self.network.score(memory, self.padded(tokens)).sum(1).tolist()
            for i, total in zip(batch, totals, strict=True):
                scores[i] = total
        return scores

    def sample(self, count: int, *, seed: int, **decoding: Any) -> list[str]:
        """New texts from latent vectors that are drawn; see `endash.latent.sample`."""
        return latent.sample(self, count, seed=seed, **decoding)

    def interpolate(self, first: str, last: str, *, steps: int, **decoding: Any) -> list[str]:
        """Texts on the way from one to another; see `endash.latent.interpolate`."""
        return latent.interpolate(self, first, last, steps=steps, **decoding)

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

    def _of_one(self, changes: Mapping[str, Any]) -> DecodingConfig:
        """The `decoding` by which one text of each source comes back. Raises RecipeError where several are asked for."""
        config = self.decoding(**changes)
        if changes.get("n_best", 1) != 1:
            raise RecipeError(
                f"n_best = {config.n_best}: this gives the best text of each source alone: model.translate(texts, n_best=…) and "
                "model.search(memory, model.decoding(n_best=…)) give several"
            )
        return config

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
        return self.network.watch(memory, self.padded([[*tokens, EOS]] * len(memory)))

    def _read_texts(self, texts: Sequence[str]) -> list[Reading]:
        """What is read of texts as they stand."""
        alone = [(text,) for text in texts]
        return read_texts(alone, self.task, self.codec, pairs=self.pairs, passages=self.recipe.joins)

    def _own(self, memory: Memory) -> list[list[int]]:
        """The tokens of each row's own source, without what was joined and without padding; of a sound or picture padding alone."""
        if memory.tokens is None and self.task.reads != "text":
            return [[PAD] * length for length in memory.mask.sum(1).tolist()]
        if memory.tokens is None or len(memory.sources) != len(memory):
            raise MemoryMismatchError(
                "a memory without its sources' texts and tokens cannot be decoded: encode it with model.encode"
            )
        own = memory.mask if memory.segments is None else memory.mask & (memory.segments == 0)
        return [tokens[where].tolist() for tokens, where in zip(memory.tokens, own, strict=True)]

    def _save_more(self, folder: Path) -> None:
        if self.shortlist is not None:
            self.shortlist.save(folder / model_folder.SHORTLIST)
        if self.path.serves:
            self.path.served.save(folder, shared=lowering.shared(self.network))

    @classmethod
    def of_folder(cls, folder: Path, recipe: Recipe) -> Self:
        """See `EncodingModel.of_folder`."""
        model = super().of_folder(folder, recipe)
        if (folder / model_folder.SHORTLIST).exists():
            sizes = model.codec.size_source, model.codec.size_target
            model.shortlist = Shortlist.load(folder / model_folder.SHORTLIST, sizes)
        return model


def _lengths(readings: Sequence[Reading], examples: Memory | None) -> list[int]:
    """How many positions the memory of each has, with the examples joined to it."""
    more = 0 if examples is None else examples.mask.shape[1]
    return [one.length + more for one in readings]
