"""Sequence-level distillation: a model learns from the targets that another one, its teacher, writes.

Kim & Rush 2016, section 3.2: the student minimises -log q(ŷ | source), where ŷ is what beam search finds with the teacher. A
teacher's targets are more alike than people's, so that a smaller model, searched greedily, can learn them. Departure: by
default it learns from the corpus's own targets as well.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from endash import model_folder
from endash.corpora import Corpus, Part, Record
from endash.decoders import decoders
from endash.errors import LongTextError, ModelError, RecipeError, TrainingError
from endash.evaluation.metrics import chrf
from endash.files import write_text
from endash.model import Model
from endash.recipe import Recipe
from endash.registry import kind_of
from endash.training.config import DistillationConfig
from endash.training.progress import Progress

_CHUNK = 2048  # sources of one file: what is lost at most when the teacher is interrupted


class Distilled:
    """The records of a corpus with the targets that a teacher writes for their sources, in the corpus's order.

    What the teacher wrote is kept in a folder, a file a `_CHUNK` of sources, and never asked for again. A source for which it
    writes nothing, or which is longer than it takes, has no target of it.
    """

    def __init__(
        self, corpus: Corpus, config: DistillationConfig, folder: Path, *, device: Any, progress: Progress
    ) -> None:
        """Raises ModelError if nothing is kept in `folder` and the teacher is not there, or is none that writes text for text."""
        self.corpus, self.config, self.folder, self.progress = corpus, config, folder, progress
        self.part: Part = corpus.part
        self._asked = self._unanswered = 0
        self._teacher = functools.cache(lambda: _load(config.teacher, device))
        self._total = functools.cache(lambda: sum(1 for _ in corpus))
        folder.mkdir(exist_ok=True)
        if not any(folder.iterdir()):
            _check_teacher(config.teacher)

    @property
    def report(self) -> str:
        """What became of the records in the last pass."""
        answered = f"  {self._asked - self._unanswered:,} translated by the teacher"
        empty = [f"  {self._unanswered:,} not: empty, or too long for it"] if self._unanswered else []
        return "\n".join([str(self.corpus.report), answered, *empty])

    def __iter__(self) -> Iterator[Record]:
        """Raises TrainingError if the teacher has written nothing for more than half of what it was asked so far."""
        self._asked = self._unanswered = 0
        drawn, number = iter(self.corpus), 0
        while chunk := list(islice(drawn, _CHUNK)):
            targets = self._targets(number, chunk)
            number, self._asked = number + 1, self._asked + len(chunk)
            self._unanswered += sum(not target.strip() for target in targets)
            self._judge()
            for record, target in zip(chunk, targets, strict=True):
                yield from self._records(record, target)

    def _records(self, record: Record, target: str) -> Iterator[Record]:
        own = self.config.targets == "both"
        if own:
            yield record
        if target.strip() and not (own and target in record.references):
            yield replace(record, target=target, targets=())

    def _targets(self, number: int, records: list[Record]) -> list[str]:
        """The teacher's target for each source, empty where it has none."""
        path, sources = self.folder / f"{number:06d}.jsonl", [record.source for record in records]
        targets = _stored(path, sources)
        if targets is None:
            targets = self._translate(records)
            pairs = zip(sources, targets, strict=True)
            lines = (json.dumps({"source": a, "target": b}, ensure_ascii=False) + "\n" for a, b in pairs)
            write_text(path, "".join(lines))
            if number == 0:
                alike = chrf(targets, [record.target for record in records]).value
                self.progress.say(
                    f"the teacher's first {len(targets):,} targets: chrF {alike:.1f} with the corpus's own"
                )
        return targets

    def _translate(self, records: list[Record]) -> list[str]:
        teacher, targets = self._teacher(), [""] * len(records)
        taken = [row for row, record in enumerate(records) if _takes(teacher, record)]
        done = self._asked + len(records) - len(taken)

        def advance(more: int) -> None:
            nonlocal done
            done += more
            self._show(done, log=False)

        found = teacher.answer(
            [records[row] for row in taken], progress=advance, search="beam", beam=self.config.beam, n_best=1
        )
        for row, answer in zip(taken, found, strict=True):
            targets[row] = answer
        self._show(self._asked + len(records), log=True)
        return targets

    def _show(self, done: int, *, log: bool) -> None:
        self.progress.count("translated by the teacher", done, self._total(), log=log)

    def _judge(self) -> None:
        if 2 * self._unanswered > self._asked:
            raise TrainingError(
                f"distillation.teacher = {self.config.teacher!r} wrote nothing for {self._unanswered:,} of the first "
                f"{self._asked:,} sources, or they were too long for it: try it with endash translate; is it trained, "
                "and from this corpus's source language?"
            )


def _check_teacher(path: str) -> None:
    """Raise ModelError for a model that does not write text for text, before anything else is done."""
    recipe = Recipe.load(model_folder.find(Path(path)) / model_folder.RECIPE, run_plugins=False)
    if (recipe.does.reads, recipe.does.writes) != ("text", "text"):
        raise ModelError(
            f"distillation.teacher = {path!r} is a model of task.kind = {kind_of(recipe.task)!r}, and a teacher writes a text for "
            "each text: name one of a translation, or of another task of texts"
        )


def _load(path: str, device: Any) -> Model:
    """The teacher. Raises ModelError if there is none, RecipeError for one that beam search does not decode."""
    teacher = Model.load(path)
    kind = teacher.recipe.decoder.kind
    if decoders[kind].writes != "in order":
        raise RecipeError(
            f"distillation.teacher = {path!r} has decoder.kind = {kind!r}, which writes {decoders[kind].writes}, and a "
            "teacher is decoded by beam search: name one whose decoder writes in order"
        )
    teacher.network.to(device)
    return teacher


def _takes(teacher: Model, record: Record) -> bool:
    """Whether the teacher answers a record: where its task allows that sentence by sentence, else as a whole."""
    try:
        if teacher.task.by_sentence and not teacher.task.joins:
            teacher.check(teacher.task.sources(record))
        else:
            teacher.read([record])
    except LongTextError:
        return False
    return True


def _stored(path: Path, sources: list[str]) -> list[str] | None:
    """The targets kept in a file for just these sources; None if there are none."""
    try:
        with open(path, encoding="utf-8") as lines:
            kept = [json.loads(line) for line in lines]
        if [one["source"] for one in kept] != sources:
            return None
        return [str(one["target"]) for one in kept]
    except (OSError, ValueError, KeyError, TypeError):
        return None
