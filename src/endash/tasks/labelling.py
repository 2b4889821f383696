"""Tasks whose models pick labels: of a source, or of each of its words.

Shapes: W labels asked for (one of a source, or one of each word), L labels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from endash.config import Config
from endash.corpora import Record
from endash.errors import CorpusError, LongTextError, TextError
from endash.example import Example
from endash.registry import kind_of
from endash.tasks.contract import Passages, Task, TooLong, Writes
from endash.text import Codec, TextConfig
from endash.text.labels import Labels

if TYPE_CHECKING:
    from torch import Tensor

    from endash.recipe import Recipe

_READ = {"batch_tokens"}  # settings of [decoding] that a model goes by which decodes nothing


@dataclass(frozen=True, slots=True)
class Part:
    """What a model reads at once of a source, and which of its labels are told by that.

    Attributes:
        tokens: its token ids, with what stands around a source.
        passages: the token ids of what is joined to it.
        places: where its own words begin in `tokens`, from 1; empty where the whole source gets one label.
        own: the numbers of the labels, of all that the source gets, which this part tells.
    """

    tokens: list[int]
    passages: tuple[list[int], ...] = ()
    places: tuple[int, ...] = ()
    own: range = range(1)


class LabelTask(Task):
    """A task whose model picks labels; they are those of the train part, in alphabetical order."""

    writes: ClassVar[Writes] = "label"
    metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "accuracy")
    defaults: ClassVar[Mapping[str, Any]] = {
        "text": {"joint": False, "placeholders": False},
        "head": {"tie": "none"},
        "training": {"label_smoothing": 0.0},
    }

    @abstractmethod
    def divided(self, record: Record, codec: Codec) -> list[Part]:
        """A source in parts that the model takes; one where it is not too long. Raises LongTextError where there is no way."""

    def settle(self, parts: Sequence[Part], found: Sequence[Tensor]) -> list[Tensor]:
        """The log-probabilities (L) of each label that a source gets, of those (W, L) of each part.

        Of several parts that tell one label each counts by its length in tokens.
        """
        total = sum(len(part.tokens) for part in parts)
        weighted = [len(part.tokens) / total * one[0].exp() for part, one in zip(parts, found, strict=True)]
        return [sum(weighted[1:], weighted[0]).log()]

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`."""
        if recipe.text.joint:
            return "text.joint = true shares one vocabulary, and labels have their own: leave it out"
        named = f"task.kind = {kind_of(self.config)!r} writes no text"
        if recipe.distillation is not None:
            return f"{named}, and a teacher of [distillation] does: leave it out"
        if recipe.trained.decoder is not None:
            return f"{named} and has no decoder: leave trained.decoder out"
        for section in ("head", "decoding"):
            if key := _changed(getattr(recipe, section), self.defaults.get(section, {})):
                return f"{named}, and {section}.{key} is of what does: leave it out"
        return None

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        labels = self.labels(record)
        if len(labels) != 1:
            return f"{len(labels)} labels, and one is asked for"
        return None if labels[0] else "the label is empty"

    def inventory(self, records: Iterable[Record]) -> Labels:
        """The labels that records have, sorted. Raises CorpusError where all have the same one."""
        names = sorted({label for record in records for label in self.labels(record)})
        if len(names) == 1:
            raise CorpusError(
                f"{names[0]!r} is the only label of the train part, so there is nothing to tell apart: give it records of others, "
                "and see that the reader's target names the labels"
            )
        return Labels.of(names)

    def vocabulary(self, records: Callable[[], Iterable[Record]], config: TextConfig, **known: Any) -> Codec:
        """See `Task.vocabulary`: the source's subwords, and the labels."""
        return super().vocabulary(records, config, **{"target": self.inventory(records())} | known)

    def labels(self, record: Record) -> tuple[str, ...]:
        """The labels of a record: one, or a tag for each of its words."""
        return record.references

    def references(self, record: Record) -> tuple[str, ...]:
        """See `Task.references`."""
        return self.labels(record)

    def examples(
        self, records: Sequence[Record], codec: Codec, *, passages: Passages | None = None
    ) -> Iterator[list[Example | TooLong]]:
        """See `Task.examples`: one of each part. Raises CorpusError for a label that the train part has not."""
        assert isinstance(codec.target, Labels)
        for record in records:
            try:
                ids = codec.target.ids(self.labels(record))
            except TextError as error:
                raise CorpusError(
                    f"{record.where}: {error}; give the train part records of it, or leave this one out"
                ) from None
            try:
                parts = self.divided(record, codec)
            except LongTextError:
                yield [TooLong("source")]
                continue
            yield [
                Example(part.tokens, [ids[number] for number in part.own], part.passages, part.places) for part in parts
            ]


def _changed(section: Config, defaults: Mapping[str, Any]) -> str | None:
    """A setting of a section that is another than the task's default, and that labels know nothing of."""
    usual = type(section)(**defaults)
    return next(
        (name for name, value in section if name not in _READ and value != getattr(usual, name)),
        None,
    )
