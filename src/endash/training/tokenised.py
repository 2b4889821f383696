"""The examples of a corpus's records: tokens, and what is joined to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from endash.corpora import Part, Record
from endash.corpora.keys import record_digest, source_key
from endash.example import Example
from endash.objectives.ctc import positions_for
from endash.retrieval import PairIndex
from endash.tasks import Task, TooLong
from endash.text.codec import Codec
from endash.training.noised import text_of

_CHUNK = 1000  # records that are tokenised and looked up together
_UNALIGNED = "left out: more target tokens than their source has positions, which head.ctc cannot align"
_TOO_LARGE = "left out: more source positions than training.batch_tokens"
REMEDIES = {  # what to do where nothing is left, by the reason
    _UNALIGNED: "set head.ctc = 0, or raise text.size for fewer target tokens",
    _TOO_LARGE: "raise training.batch_tokens",
}


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
        # what a task has just read of a file, it need not read again
        together = _CHUNK if self.task.reads == "text" else 1
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
