"""What a task is: how a record becomes examples, what the model writes for it, and by what that is measured.

A task is one file in this room, or in a plugin: a class that is registered under the ``kind`` of its settings. What the
base class does is right for text to text.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray

from endash.config import Config
from endash.corpora import Record
from endash.errors import CorpusError
from endash.evaluation.metrics import scorer
from endash.evaluation.scorer import Answer, answered
from endash.example import Example
from endash.text import Codec, TextConfig

if TYPE_CHECKING:
    from endash.objectives.noise import Noise
    from endash.recipe import Recipe

Writes = Literal["text", "label", "tags"]
Reads = Literal["text", "samples", "pixels"]
_SHOWN = 60  # characters of what was given that an error shows

Passages = Callable[[Sequence[Record], Sequence[Sequence[str]]], list[list[list[int]]]]
"""For each record, given its source's placeholders, the token ids of what the translation memory has on it."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A record that is left out for a `side` of it, source or target, that has more tokens than the model takes."""

    side: Literal["source", "target"]


class Task(ABC):
    """A kind of work for a model.

    Attributes:
        config: its settings; `frontend` are those of what makes vectors of its sources, where the recipe has one.
        readers: settings of the readers of what is learned from.
        writes: whether the model writes a text, or picks a label of a record or of each of its words.
        reads: what its sources are.
        metrics: names of `endash.evaluation` metrics; by the first a training chooses its best model.
        defaults: settings of other sections, under those that a recipe has itself.
        joins: how many further sources are encoded beside the first and joined to its memory.
        by_sentence: whether a text that is too long may be answered sentence by sentence.
        alike: of a task that writes text, whether what is joined is marked alike and read without looking at the source, so that
            it can be encoded once and joined to any.
        noisy: whether `noise` makes its examples anew in each epoch, of the sources alone.
    """

    Config: ClassVar[type[Config]]
    writes: ClassVar[Writes] = "text"
    reads: ClassVar[Reads] = "text"
    metrics: ClassVar[tuple[str, ...]] = ("bleu", "chrf", "ter")
    defaults: ClassVar[Mapping[str, Any]] = {}
    joins: int = 0
    by_sentence: ClassVar[bool] = False
    alike: ClassVar[bool] = False
    noisy: ClassVar[bool] = False

    def __init__(self, config: Any, *, frontend: Any = None, readers: Sequence[Any] = ()) -> None:
        self.config, self.frontend, self.readers = config, frontend, readers

    @property
    def verbatim(self) -> bool:
        """Whether a text is given to the model as it stands, and what it writes is the answer: no more of the task is needed."""
        cls, text = type(self), self.reads == self.writes == "text"
        return text and cls.record is Task.record and cls.sources is Task.sources

    def why_not(self, recipe: Recipe) -> str | None:
        """Why a recipe does not go with this task: a sentence with what to do; None where it does."""
        return None

    def record(self, given: Any) -> Record:
        """The record, without a target, of what a caller hands over or of a line of standard input.

        Raises CorpusError for what is no source of this task.
        """
        if not isinstance(given, str):
            raise CorpusError(f"{shown(given)} is no text: give a text")
        return Record(given, "")

    def fault(self, record: Record) -> str | None:
        """Why nothing can be learned from a record: a reason for `BadLine`; None where it can."""
        return None

    def signal(self, record: Record) -> NDArray[Any]:
        """The sound or picture that is a record's source, of a task that reads such."""
        raise NotImplementedError

    def positions(self, shape: tuple[int, ...]) -> int:
        """How many positions of a memory come of one of this shape."""
        raise NotImplementedError

    def sources(self, record: Record) -> tuple[str, ...]:
        """The texts that are encoded: the source, then up to `joins` that are joined to it."""
        return (record.source,)

    def fit(self, record: Record, codec: Codec) -> Record:
        """A record without what its task leaves out where there is more of it than the model takes; most leave out nothing."""
        return record

    def targets(self, record: Record) -> tuple[str, ...]:
        """What the model learns to write for a record; several make an example each."""
        return record.references

    def vocabulary(self, records: Callable[[], Iterable[Record]], config: TextConfig, **known: Any) -> Codec:
        """The vocabularies, learned from records but for those that are `known`; see `Codec.train`."""
        texts = lambda: ((text, target) for record in records() for text, target in self._texts(record))  # noqa: E731
        return Codec.train(texts, config, **known)

    def survey(self, records: Iterable[Record]) -> None:
        """Look through all records of a part, before examples are made of them; most tasks have no need to."""
        return

    def examples(
        self, records: Sequence[Record], codec: Codec, *, passages: Passages | None = None
    ) -> Iterator[list[Example | TooLong]]:
        """For each record an example for each of its targets, or what has more than ``text.max_length`` tokens in its place."""
        limit, parts = codec.config.max_length, [self.sources(record) for record in records]
        sources = codec.encode_sources([texts[0] for texts in parts])
        known = [source.placeholders for source in sources]
        joined = [self.join(texts[1:], codec) for texts in parts] if passages is None else passages(records, known)
        wanted = [self.targets(record) for record in records]
        flat = [target for targets in wanted for target in targets]
        of = [one for one, targets in zip(known, wanted, strict=True) for _ in targets]
        encoded = iter(codec.encode_targets(flat, of))
        for source, further, targets in zip(sources, joined, wanted, strict=True):
            own = further if passages is None else ()  # what the translation memory gives is not the record's
            short = all(len(tokens) <= limit for tokens in (source.tokens, *own))
            yield [
                TooLong("source")
                if not short
                else Example(source.tokens, tokens, tuple(further))
                if len(tokens) <= limit
                else TooLong("target")
                for tokens in (next(encoded) for _ in targets)
            ]

    def join(self, texts: Sequence[str], codec: Codec) -> list[list[int]]:
        """The token ids of the sources joined to the first, `joins` of them: those that are missing have none.

        Raises CorpusError for more of them.
        """
        if len(texts) > self.joins:
            raise CorpusError(
                f"{counted(len(texts), 'text')} to join to a source, and a task with joins = {self.joins}: let `sources` give "
                f"{1 + self.joins} at most"
            )
        found = [source.tokens for source in codec.encode_sources(texts)]
        return found + [[] for _ in range(self.joins - len(found))]

    def noise(self, codec: Codec) -> Noise | None:
        """What makes its examples of their sources' tokens; None for those of a task that is not `noisy`."""
        return None

    def references(self, record: Record) -> tuple[str, ...]:
        """All that is right of a record, one text or several; or one label; or a tag for each word."""
        return self.targets(record)

    def measures(self, metric: str, records: Sequence[Record]) -> bool:
        """Whether one of its metrics has something to measure in these records."""
        return True

    def value(
        self, metric: str, answers: Sequence[Answer], records: Sequence[Record], *, language: str | None = None
    ) -> float:
        """One of its metrics, of an answer to each record; `language` is that of the answers, where they are texts."""
        references = [self.references(record) for record in records]
        given = answered(answers, references, sources=[record.source for record in records])
        return scorer(metric, language=language).value(given)

    def _texts(self, record: Record) -> Iterator[tuple[str, str]]:
        """All source and target texts of a record, in pairs."""
        sources, targets = self.sources(record), self.targets(record)
        for name, texts in (("sources", sources), ("targets", targets)):
            if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
                raise CorpusError(
                    f"`{name}` of {type(self).__name__} gives {shown(texts)}: let it give a tuple of texts"
                )
        if not sources:
            raise CorpusError(
                f"`sources` of {type(self).__name__} gives no text of {record.where}: let `fault` refuse it"
            )
        for i in range(max(len(sources), len(targets))):
            yield sources[i] if i < len(sources) else "", targets[i] if i < len(targets) else ""


def counted(number: int, what: str) -> str:
    """``1 tag``, ``2 tags``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def shown(given: object) -> str:
    """What a caller gave, for an error: its beginning, as it would be written down."""
    text = repr(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
