"""What the native core needs of a model, from its vocabularies to its parameters, without PyTorch.

A model that the core decodes from text to text has a file more in its folder, ``core.json``: what the core is told of its
encoder, link and decoder. With it a service starts in an instant, and takes no memory for what it does not use.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from endash import model_folder, native
from endash.decoding.config import DecodingConfig, check_prefix, check_room
from endash.decoding.hypothesis import Found, Hypothesis
from endash.decoding.noise import noise
from endash.decoding.pieces import Cut, Piece
from endash.errors import ModelError
from endash.evaluation.alignment import Alignment, align_words
from endash.native import Core, Floats, Ticket
from endash.shortlist import Shortlist
from endash.text.codec import Codec, EncodedSource
from endash.text.tokenizer import EOS, FIRST_SLOT

FILE = "core.json"
_TOGETHER = 64  # texts that are encoded together


class NotServedError(ModelError):
    """The native core does not decode this model so; PyTorch may."""


@dataclass(frozen=True)
class Served:
    """A model as the core decodes it.

    Attributes:
        codec, decoding, shortlist: as of the model.
        settings: what `endash.lowering.settings` gives, but for the precision.
        end: the most positions of the decoder, None where they have no end.
        by_sentence: whether a text that is too long is answered sentence by sentence; else it is refused.
        parameters: gives the parameters by name, as they are now.
    """

    codec: Codec
    decoding: DecodingConfig
    shortlist: Shortlist | None
    settings: dict[str, Any]
    end: int | None
    by_sentence: bool
    parameters: Callable[[], dict[str, Floats]]

    @property
    def cut(self) -> Cut:
        """How a text becomes pieces that the model takes."""
        return self.codec.split_source if self.by_sentence else self.codec.whole_source

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Served:
        """The model in a folder, if the core decodes it. Raises NotServedError where it does not, ModelError for what is broken."""
        where = model_folder.find(Path(path))
        if reason := native.why_absent():
            raise NotServedError(reason)
        if not (where / FILE).exists():
            raise NotServedError(
                f"{where} has no {FILE}: the core does not decode such a model, or an older version saved it"
            )
        try:
            told = json.loads((where / FILE).read_text(encoding="utf-8"))
            settings, end, shared, parts = (told[name] for name in ("settings", "end", "shared", "parts"))
            by_sentence = bool(told.get("by_sentence", model_folder.task_in(where) == "translation"))  # not told before
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{where / FILE} is broken ({error!r}): copy the whole model again") from None
        try:
            recipe = tomllib.loads((where / model_folder.RECIPE).read_text(encoding="utf-8"))
            decoding = DecodingConfig.model_validate(recipe.get("decoding", {}))
        except ValueError as error:
            raise NotServedError(f"{where / model_folder.RECIPE} cannot be read: {error}") from None
        if parts != _parts(recipe):
            raise NotServedError(f"{where / model_folder.RECIPE} was changed since the model was saved")
        codec = Codec.load(where / model_folder.TEXT)
        lists = where / model_folder.SHORTLIST
        shortlist = Shortlist.load(lists, (codec.size_source, codec.size_target)) if lists.exists() else None

        def parameters() -> dict[str, Floats]:
            found = model_folder.read_arrays(where)
            return found | {name: found[original] for name, original in shared.items() if original in found}

        return cls(codec, decoding, shortlist, settings, end, by_sentence, parameters)

    def save(self, folder: Path, *, shared: dict[str, str]) -> None:
        """Write ``core.json`` beside the recipe; `shared` are the names of parameters that stand in the folder under another. Raises OSError."""
        recipe = tomllib.loads((folder / model_folder.RECIPE).read_text(encoding="utf-8"))
        told = {"settings": self.settings, "end": self.end, "shared": shared, "parts": _parts(recipe)}
        told["by_sentence"] = self.by_sentence
        (folder / FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def core(self, config: DecodingConfig, *, threads: int | None = None, room: int | None = None) -> Core:
        """A core with the parameters as they are now; as many sentences may wait as there is `room`.

        Raises ModelError where there is no shortlist to use, or the parameters are not those of the settings.
        """
        if config.shortlist and self.shortlist is None:
            raise ModelError(
                "decoding.shortlist = true, and this model has no shortlist: train it again, or set it to false"
            )
        return Core(
            {**self.settings, "precision": config.precision},
            self.parameters(),
            threads=threads or native.default_threads(),
            room=room or native.ROOM,
            shortlist=self.shortlist,
        )

    def submit(
        self,
        core: Core,
        tokens: Sequence[int],
        config: DecodingConfig,
        *,
        states: Any = None,
        row: int = 0,
        prefix: Sequence[int] = (),
        **how: Any,
    ) -> Ticket:
        """Hand a source to a core, for a target that begins with `prefix`; see `Core.submit`."""
        limit = config.max_length(len(tokens))
        limit = limit if self.end is None else min(limit, self.end)
        check_prefix(row, prefix, limit)
        slots: list[int] = []
        if count := self.codec.target.slots:
            wanted = self.codec.required_slots(tokens)
            slots = [wanted[FIRST_SLOT + number] for number in range(count)]
            check_room(row, sum(slots), limit)
        drawn = noise(config, row, limit) if config.search == "sample" else None
        source = () if states and not config.shortlist else tokens  # beside states they choose what may be written
        return core.submit(
            source, config, limit=limit, memory=states or (), slots=slots, prefix=prefix, noise=drawn, **how
        )

    def find_each(
        self,
        core: Core,
        sources: Iterable[Sequence[int]],
        config: DecodingConfig,
        *,
        rows: Sequence[int],
        prefixes: Sequence[Sequence[int]] | None = None,
        states: Sequence[list[Floats]] | None = None,
        scored: bool = True,
    ) -> Iterator[list[Found]]:
        """What the core finds for the tokens of each source, one after the other; all are under way at once.

        `rows` are the sources' places in the input, which samples depend on; `prefixes` are what each target begins
        with, and may grow while `sources` is read; `states` are what to read in place of each source;
        `scored` as for `Core.submit`. Raises ModelError where scores are not finite, or nothing can be written.
        """
        tickets: list[Ticket] = []
        try:
            for place, tokens in enumerate(sources):
                given = None if states is None else states[place]
                prefix = () if prefixes is None else prefixes[place]
                tickets.append(
                    self.submit(core, tokens, config, states=given, row=rows[place], prefix=prefix, scored=scored)
                )
            for ticket in tickets:
                yield ticket.result()
        except BaseException:
            for ticket in tickets:
                ticket.cancel()
            raise

    def decode(
        self,
        core: Core,
        some: Sequence[Piece],
        config: DecodingConfig,
        *,
        prefixes: Sequence[str] | None = None,
        alignment: bool = False,
        scored: bool = True,
    ) -> Iterator[tuple[list[int], list[list[Hypothesis]]]]:
        """The place of each piece of text and its hypotheses, in order; `prefixes` are the texts that each target begins with.

        For an `alignment` of words each hypothesis is written once more. Raises ModelError where the link reads no positions.
        """
        sources, begun = list[EncodedSource](), list[list[int]]()

        def tokens() -> Iterator[list[int]]:
            for first in range(0, len(some), _TOGETHER):  # the core works on the first while the next are encoded
                more = self.codec.encode_sources([piece.text for piece in some[first : first + _TOGETHER]])
                sources.extend(more)
                if prefixes is not None:
                    texts = prefixes[first : first + _TOGETHER]
                    begun.extend(self.codec.encode_prefixes(texts, [source.placeholders for source in more]))
                yield from (source.tokens for source in more)

        rows = [piece.row for piece in some]
        everything: Iterable[list[Found]] = self.find_each(
            core, tokens(), config, rows=rows, prefixes=begun if prefixes else None, scored=scored
        )
        words: Iterable[Iterable[Alignment]] = repeat(repeat(()))
        if alignment:
            everything = list(everything)
            words = self._align(core, sources, everything)
        for place, (found, aligned) in enumerate(zip(everything, words, strict=False)):
            source = sources[place].placeholders
            both = zip(found, aligned, strict=False)
            yield [place], [[Hypothesis.of(one, self.codec, source, pairs, scored=scored) for one, pairs in both]]

    def _align(
        self, core: Core, sources: Sequence[EncodedSource], found: Sequence[Sequence[Found]]
    ) -> Iterator[list[Alignment]]:
        """The words that belong together, of each source and each of its hypotheses."""
        if not self.settings["link_heads"]:
            raise ModelError(
                "link.kind = 'prefix' reads no source positions, so there is no alignment: ask for the text alone"
            )
        greedy = DecodingConfig(beam=1)

        def watched(source: EncodedSource, one: Found) -> Ticket:
            target = [*one.tokens, EOS]
            return core.submit(source.tokens, greedy, limit=len(target), prefix=target, watched=True)

        tickets = [[watched(source, one) for one in some] for source, some in zip(sources, found, strict=True)]
        for source, some, under_way in zip(sources, found, tickets, strict=True):
            pieces = self.codec.source.pieces(source.tokens, source.placeholders)
            aligned = list[Alignment]()
            for one, ticket in zip(some, under_way, strict=True):
                read_TS = np.reshape(ticket.result()[0].read, (-1, len(source.tokens)))[: len(one.tokens)]
                aligned.append(align_words(read_TS, pieces, self.codec.target.pieces(one.tokens, source.placeholders)))
            yield aligned

    def score(self, core: Core, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[float]:
        """log p(target | source) in nats of these token ids, each ending in eos."""
        config = DecodingConfig(beam=1)
        pairs = zip(sources, targets, strict=True)
        tickets = [core.submit(source, config, limit=len(target), prefix=target) for source, target in pairs]
        return [ticket.result()[0].score for ticket in tickets]


def _parts(recipe: dict[str, Any]) -> dict[str, Any]:
    """The sections of a recipe that the settings follow from."""
    return {name: recipe.get(name) for name in ("encoder", "link", "decoder", "head", "retrieval")}
