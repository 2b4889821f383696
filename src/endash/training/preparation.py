"""From a recipe's corpus to what training reads: vocabularies, translation memory and tokenised examples, on disk.

Each is made once and kept in the run's folder, whole or not at all, so that a run that was stopped goes on with just what it
began with.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endash.corpora import Corpus, Part, Record
from endash.corpora.keys import record_digest
from endash.encoders.pretrained import PretrainedConfig
from endash.errors import TrainingError
from endash.files import whole_folder
from endash.retrieval import PairIndex
from endash.tasks import LabelTask, Task
from endash.text.codec import Codec
from endash.text.foreign import ForeignTokenizer
from endash.training.examples import Examples
from endash.training.noised import Noised
from endash.training.tokenised import REMEDIES, Tokenised

if TYPE_CHECKING:
    from endash.recipe import Recipe
    from endash.training.distillation import Distilled

_FORMAT = 3  # of the stored examples; another number makes them anew

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What training reads, and the records of the valid part that it has examples of."""

    codec: Codec
    pairs: PairIndex | None
    train: Examples
    valid: Examples


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
    task, encoder, given = recipe.does, recipe.encoder.innermost, known()
    foreign = bool(given)
    if isinstance(task, LabelTask):  # a rare label may be in what is split off alone, and is none the less known
        split = recipe.corpus.shares()
        shares: dict[Part, float] = {"train": 1, "valid": split.valid, "test": split.test}
        parts = [part for part, share in shares.items() if share]
        every = chain.from_iterable(Corpus(recipe.corpus, part, fault=task.fault) for part in parts)
        given["target"] = task.inventory(every)
        say(given["target"].told)
    if isinstance(encoder, PretrainedConfig) and encoder.reads == "tokens":
        given.setdefault("source", ForeignTokenizer.of_folder(encoder.folder, padding=encoder.padding))
    learned = not {"source", "target"} <= given.keys()
    say("learning the vocabulary" if learned else "taking the vocabulary over: none is learned")
    codec = task.vocabulary(lambda: corpus, recipe.text, **given)
    with whole_folder(folder) as writing:
        codec.save(writing)
    for note in [] if foreign else codec.notes:
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
        advice = [what for why, what in REMEDIES.items() if why in reasons]
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
