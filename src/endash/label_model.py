"""A model that labels: an encoder and a head over its memory, saved as one folder.

Shapes: B batch, W labels asked for (one of a source, or one of each word), L labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from endash.corpora import Record
from endash.decoding.pieces import check_list
from endash.errors import LongTextError, ModelError
from endash.labelling import Labeller
from endash.model_base import EncodingModel
from endash.reading import Source, batches
from endash.recipe import Recipe
from endash.registry import kind_of
from endash.retrieval import PairIndex
from endash.tasks import Answer
from endash.tasks.labelling import LabelTask, Part
from endash.text import Codec
from endash.text.labels import FIRST_LABEL, Labels


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label, and how probable the model holds it to be, 0 to 1."""

    label: str
    probability: float


class LabelModel(EncodingModel[Labeller]):
    """A model that picks a label for a source, or for each word of it: ``model("text")``.

    Attributes: those of `EncodingModel`.
    """

    task: LabelTask

    @classmethod
    def shaped(cls, recipe: Recipe, codec: Codec, *, pairs: PairIndex | None = None) -> Self:
        """See `EncodingModel.shaped`. Raises ModelError for a recipe whose task writes text."""
        if recipe.does.writes == "text":
            raise ModelError(
                f"this is a model of task.kind = {kind_of(recipe.task)!r}, which writes text: load it by endash.load"
            )
        network = Labeller(
            recipe.encoder,
            labels=codec.size_target - FIRST_LABEL,
            each="word" if recipe.does.writes == "tags" else "source",
            source_size=codec.size_source,
            passages=recipe.joins,
            frontend=recipe.frontend,
        )
        return cls(recipe, codec, network)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it knows, in the order of their ids."""
        assert isinstance(self.codec.target, Labels)
        return self.codec.target.names

    def __call__(self, source: Any) -> Any:
        """The label of a source, or a tag for each of its words; a list of them for a list of sources."""
        sources = source if isinstance(source, list) else [source]
        answers = self.answer([self.record(one) for one in sources])
        return answers if isinstance(source, list) else answers[0]

    def answer(self, records: Sequence[Record], *, progress: Callable[[int], None] | None = None) -> list[Answer]:
        """The likeliest label of each record, or the likeliest tag of each of its words; errors and `progress` as of `predict`."""
        return list(map(self.told, self.likeliest(records, progress=progress)))

    def likeliest(
        self, records: Sequence[Record], *, progress: Callable[[int], None] | None = None
    ) -> list[list[Prediction]]:
        """For each record the likeliest label of it, or of each of its words; errors and `progress` as of `predict`."""
        names = self.labels
        best = [[one.max(-1) for one in some] for some in self._found(records, progress)]
        return [[Prediction(names[int(place)], float(value.exp())) for value, place in some] for some in best]

    def told(self, found: Sequence[Prediction]) -> Answer:
        """The answer that the `likeliest` labels of a record make: its label, or a tag for each of its words."""
        labels = tuple(one.label for one in found)
        return labels if self.task.writes == "tags" else labels[0]

    def predict(
        self, sources: Sequence[Source], *, progress: Callable[[int], None] | None = None
    ) -> list[list[list[Prediction]]]:
        """For each source and each of its words, or once for the whole of it, all labels, the likeliest first.

        What is longer than the model takes is read in parts, and none of it is left out. `progress` is told how many sources
        more are begun. Raises CorpusError for what is no source of the task, LongTextError for one that cannot be divided.
        """
        check_list(sources)
        found = self._found([self.record(one) for one in sources], progress)
        return [[self._ranked(one) for one in some] for some in found]

    @torch.no_grad()
    def _found(self, records: Sequence[Record], progress: Callable[[int], None] | None) -> list[list[Tensor]]:
        """The log-probabilities (L) of each label that each record gets."""
        self.network.eval()
        parts = [self._divided(row, record) for row, record in enumerate(records)]
        flat = [(part, number == 0) for some in parts for number, part in enumerate(some)]
        found: list[Tensor] = [torch.empty(0)] * len(flat)
        for batch in batches([len(part.tokens) for part, _ in flat], self.recipe.decoding.batch_tokens):
            for i, scores in zip(batch, self._scores([flat[i][0] for i in batch]), strict=True):
                found[i] = scores
            if progress is not None:
                progress(sum(flat[i][1] for i in batch))
        each = iter(found)
        return [self.task.settle(some, [next(each) for _ in some]) for some in parts]

    def _divided(self, row: int, record: Record) -> list[Part]:
        """What is read of a record. Raises LongTextError for one that is too long, by its `row`."""
        try:
            return self.task.divided(record, self.codec)
        except LongTextError as error:
            raise LongTextError(row, error.reason) from None

    def _scores(self, parts: Sequence[Part]) -> list[Tensor]:
        """For each part the log-probabilities (W, L) of the labels of its words, or (1, L) of the label of all of it."""
        passages = tuple(map(self.padded, zip(*(one.passages for one in parts), strict=True)))
        memory = self.network.encode(self.padded([one.tokens for one in parts]), passages)
        places = self.padded([one.places for one in parts]) if self.task.writes == "tags" else None
        log_probability_BWL = self.network.scores(memory, places).float().log_softmax(-1)
        return [found[: len(one.places) or 1] for one, found in zip(parts, log_probability_BWL, strict=True)]

    def _ranked(self, log_probability_L: Tensor) -> list[Prediction]:
        probability, order = log_probability_L.exp().sort(descending=True)
        names = self.labels
        return [Prediction(names[i], value) for i, value in zip(order.tolist(), probability.tolist(), strict=True)]
