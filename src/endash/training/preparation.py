"""From a recipe's corpus to what training reads: vocabularies, translation memory and tokenised examples, on disk.

Each is made once and kept in the run's folder, whole or not at all, so that a run that was stopped goes on with just what it
began with.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endash.corpora import Corpus, Part, Record
from endash.corpora.keys import record_digest, source_key
from endash.encoders.pretrained import PretrainedConfig
from endash.errors import TrainingError
from endash.example import Example
from endash.files import whole_folder
from endash.objectives.ctc import positions_for
from endash.retrieval import PairIndex
from endash.tasks import Task, TooLong
from endash.text.codec import Codec
from endash.text.foreign import ForeignTokenizer
from endash.training.examples import Examples
from endash.training.noised import Noised, text_of

if TYPE_CHECKING:
    from endash.recipe import Recipe
    from endash.training.distillation import Distilled

_CHUNK = 1000  # records that are tokenised and looked up together
_UNALIGNED = "left out: more target tokens than their source has positions, which head.ctc cannot align"
_TOO_LARGE = "left out: more source positions than training.batch_tokens"
_REMEDIES = {
    _UNALIGNED: "set head.ctc = 0, or raise text.size for fewer target tokens",
    _TOO_LARGE: "raise training.batch_tokens",
}
_FORMAT = 3  # of the stored examples; another number makes them anew

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What training reads, and the records of the valid part that it has examples of."""

    codec: Codec
    pairs: PairIndex | None
    train: Examples
    valid: Examples


class Tokenised:
    """The examples of records, to be iterated once; what is too long for the model is left out, counted and never cut.

    Attributes:
        too_long: how many examples were left out for their source or target, and how many passages were.
        kept: the records that have examples, each with the number of its first, if `keep`.
        shortfalls: how many texts get less noise than was asked for, are shortened by their task, or are left out where targets
            are to be `aligned` with their source's positions, and how many sounds and pictures for having more positions than a
            batch has `room` for, by the reason.
    """

    def __init__(
        self,
        records: Iterable[Record],
        task: Task,
        codec: Codec,
        *,
        pairs: PairIndex | None,
        passages: int,
        part: Part,
        aligned: bool = False,
        room: int | None = None,
    ) -> None:
        self.records, self.task, self.codec, self.pairs, self.passages = records, task, codec, pairs, passages
        self.aligned, self.room, self.keep = aligned, room, part != "train"
        self.too_long = {"source": 0, "target": 0, "passage": 0}
        self.kept: list[tuple[Record, int]] = []
        self.noise, self.shortfalls = task.noise(codec), Counter[str]()

    def __iter__(self) -> Iterator[Example]:
        self.task.survey(self.records)
        drawn, made, passages = iter(self.records), 0, self._passages if self.pairs is not None else None
        together = (
            _CHUNK if self.task.reads == "text" else 1
        )  # what a task has just read of a file, it need not read again
        while chunk := list(islice(drawn, together)):
            fitted = self._fitted(chunk)
            for record, found in zip(chunk, self.task.examples(fitted, self.codec, passages=passages), strict=True):
                examples = self._without_misfits(found)
                if self.keep and examples:
                    self.kept.append((record, made))
                made += len(examples)
                yield from map(self._without_long, examples)
                if self.noise is not None:
                    self.shortfalls.update(filter(None, (self.noise.shortfall(text_of(one)) for one in examples)))

    def _without_misfits(self, found: Sequence[Example | TooLong]) -> list[Example]:
        """The examples that became of a record; those that did not, and those that cannot be used, are counted."""
        examples = []
        for one in found:
            if isinstance(one, TooLong):
                self.too_long[one.side] += 1
            elif self.aligned and positions_for(one.target[:-1]) > self._positions(one):
                self.shortfalls[_UNALIGNED] += 1
            elif self.room is not None and self._positions(one) > self.room:
                self.shortfalls[f"{_TOO_LARGE} = {self.room}"] += 1
            else:
                examples.append(one)
        return examples

    def _positions(self, example: Example) -> int:
        source = example.source
        return len(source) if isinstance(source, list) else self.task.positions(source.shape)

    def _fitted(self, records: Sequence[Record]) -> list[Record]:
        """Records as short as their task makes them for this model."""
        fitted = [self.task.fit(record, self.codec) for record in records]
        fitted = [  # what was shortened is still told by the whole of its source
            replace(after, key=before.key or source_key(before.source)) if after is not before else after
            for after, before in zip(fitted, records, strict=True)
        ]
        if shortened := sum(after is not before for after, before in zip(fitted, records, strict=True)):
            self.shortfalls[f"shortened to text.max_length = {self.codec.config.max_length}"] += shortened
        return fitted

    def _without_long(self, example: Example) -> Example:
        """An example without those of its passages that are too long."""
        limit = self.codec.config.max_length
        fit = tuple(tokens if len(tokens) <= limit else [] for tokens in example.passages)
        self.too_long["passage"] += sum(len(tokens) > limit for tokens in example.passages)
        return replace(example, passages=fit) if fit else example

    def _passages(self, records: Sequence[Record], known: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """For each record the tokens of the nearest pairs of the translation memory, empty where there are too few."""
        assert self.pairs is not None
        rows: list[list[list[int]]] = [[[] for _ in range(self.passages)] for _ in records]
        sources = [self.task.sources(record)[0] for record in records]
        own = () if self.keep else [record_digest(record) for record in records]
        nearest = self.pairs.nearest(sources, count=self.passages, exclude=own)
        places = [(row, rank) for row, found in enumerate(nearest) for rank in range(len(found))]
        pairs = [(nearest[row][rank].source, nearest[row][rank].target) for row, rank in places]
        tokens = self.codec.encode_pairs(pairs, [known[row] for row, _ in places])
        for (row, rank), passage in zip(places, tokens, strict=True):
            rows[row][rank] = passage
        return rows


def prepare(
    recipe: Recipe,
    folder: Path,
    *,
    say: Say,
    known: Callable[[], dict[str, Any]] = dict,
    distilled: Callable[[Corpus], Distilled] | None = None,
) -> Prepared:
    """What training needs of `recipe`, out of `folder` where it is there already.

    `known` gives the vocabularies that are not to be learned, `distilled` what a teacher makes of the train part. Vocabularies
    and translation memory are made of the corpus as it is, and so is the valid part.

    Raises CorpusError and TextError for a corpus or text that is not as the recipe says, TrainingError if no example is left.
    """
    task = recipe.does
    train, valid = (
        Corpus(recipe.corpus, part, fault=task.fault) for part in ("train", "valid")
    )  # first: one may be missing
    learned = distilled(train) if distilled else train
    texts = train if task.reads == "text" else Corpus(recipe.corpus, "train")  # reads no file that a record names
    codec = _vocabulary(recipe, texts, folder / "text", say, known)
    pairs = _translation_memory(train, task, folder / "pairs", say) if recipe.retrieval else None
    examples = (
        _examples(recipe, task, corpus, folder / "examples" / corpus.part, codec=codec, pairs=pairs, say=say)
        for corpus in (learned, valid)
    )
    noise = task.noise(codec)
    return Prepared(codec, pairs, *(Noised(one, noise, seed=recipe.seed) if noise else one for one in examples))


def _vocabulary(recipe: Recipe, corpus: Corpus, folder: Path, say: Say, known: Callable[[], dict[str, Any]]) -> Codec:
    if folder.exists():
        return Codec.load(folder)
    say("learning the vocabulary")
    encoder, given = recipe.encoder.innermost, known()
    if isinstance(encoder, PretrainedConfig) and encoder.reads == "tokens":
        given.setdefault("source", ForeignTokenizer.of_folder(encoder.folder, padding=encoder.padding))
    codec = recipe.does.vocabulary(lambda: corpus, recipe.text, **given)
    with whole_folder(folder) as writing:
        codec.save(writing)
    for note in [] if given else codec.notes:
        say(note)
    return codec


def _translation_memory(corpus: Corpus, task: Task, folder: Path, say: Say) -> PairIndex:
    if folder.exists():
        return PairIndex.load(folder)
    say("indexing the translation memory")
    pairs = [((task.sources(record)[0], task.targets(record)[0]), record_digest(record)) for record in corpus]
    index = PairIndex.build([pair for pair, _ in pairs], keys=[key for _, key in pairs])
    with whole_folder(folder) as writing:
        index.save(writing)
    return index


def _examples(
    recipe: Recipe,
    task: Task,
    corpus: Corpus | Distilled,
    folder: Path,
    *,
    codec: Codec,
    pairs: PairIndex | None,
    say: Say,
) -> Examples:
    fingerprint = _fingerprint(recipe, codec)
    examples = Examples.stored(folder, fingerprint)
    if examples is None:
        say(f"tokenising the {corpus.part} part")
        aligned = recipe.head.ctc > 0
        tokenised = Tokenised(
            corpus,
            task,
            codec,
            pairs=pairs,
            passages=recipe.joins,
            part=corpus.part,
            aligned=aligned,
            room=_room(recipe),
        )
        examples = Examples.write(
            folder,
            tokenised,
            passages=recipe.joins,
            vocabulary=max(codec.size_source, codec.size_target),
            fingerprint=fingerprint,
            places=task.writes == "tags",
            positions=task.positions if task.reads != "text" else None,
            about=lambda: {
                "report": str(corpus.report),
                "too_long": tokenised.too_long,
                "shortfalls": tokenised.shortfalls,
                "max_length": codec.config.max_length,
                "records": [_told(*one) for one in tokenised.kept],
            },
        )
        say(_summary(examples))
    if len(examples) == 0:
        reasons = "\n".join(examples.about["shortfalls"])
        advice = [what for why, what in _REMEDIES.items() if why in reasons]
        raise TrainingError(
            f"no example is left in the {corpus.part} part of the corpus:\n{_summary(examples)}\n"
            f"{', '.join([*advice, 'loosen corpus.filters', 'raise text.max_length'])}, or give more text"
        )
    return examples


def _room(recipe: Recipe) -> int | None:
    """The most positions of a sound or picture; text.max_length bounds no more than texts."""
    return None if recipe.does.reads == "text" else recipe.training.batch_tokens


def _told(record: Record, row: int) -> dict[str, Any]:
    """A record as plain values, and the number of its first example."""
    held = {name: getattr(record, name) for name in ("source", "target", "sources", "targets", "family")}
    return {"row": row, **{name: value for name, value in held.items() if value or name in {"source", "target"}}}


def records_of(examples: Examples) -> list[Record]:
    """The records that stored examples were made of, with the sounds or pictures that they name as they were read."""

    def plain(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    held = [{name: plain(value) for name, value in told.items()} for told in examples.about["records"]]
    rows = [told.pop("row") for told in held]
    media = [None if examples.signals is None else examples.signals[row] for row in rows]
    return [Record(**told, media=one) for told, one in zip(held, media, strict=True)]


def _summary(examples: Examples) -> str:
    about = examples.about
    left_out = [f"  {count:,} too long as {side}" for side, count in about["too_long"].items() if count]
    limit = [f"  (text.max_length = {about['max_length']} tokens)"] if left_out else []
    shortfalls = [f"  {count:,} {reason}" for reason, count in about["shortfalls"].items()]
    return "\n".join([about["report"], *left_out, *limit, *shortfalls, f"  {len(examples):,} examples"])


def _unplaced(settings: Any) -> Any:
    """A corpus's settings without the folders of its files, which move with a project."""
    if isinstance(settings, dict):
        return {key: _unplaced(value) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_unplaced(value) for value in settings]
    return os.path.basename(settings) if isinstance(settings, str) and os.path.isabs(settings) else settings


def _fingerprint(recipe: Recipe, codec: Codec) -> str:
    """Changes with all that stored examples depend on in the recipe, and with the vocabularies."""
    made_from = {
        "format": _FORMAT,
        "task": recipe.task.model_dump(mode="json"),
        "frontend": recipe.frontend and recipe.frontend.model_dump(mode="json"),
        "corpus": _unplaced(recipe.corpus.model_dump(mode="json")),
        "retrieval": recipe.retrieval.model_dump(mode="json") if recipe.retrieval else None,
        "max_length": recipe.text.max_length,
        "codec": codec.fingerprint(),
    }
    if recipe.head.ctc:
        made_from["aligned"] = True
    if (room := _room(recipe)) is not None:
        made_from["room"] = room
    if recipe.distillation is not None:
        made_from["distillation"] = _unplaced(recipe.distillation.model_dump(mode="json"))
    return hashlib.blake2b(json.dumps(made_from, sort_keys=True).encode(), digest_size=16).hexdigest()
