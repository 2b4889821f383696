"""Tasks whose models pick labels: of a source, or of each of its words.

Shapes: W labels asked for (one of a source, or one of each word), L labels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from endash.corpora import Record
from endash.example import Example
from endash.tasks.contract import Passages, Task, TooLong, Writes
from endash.text import Codec, TextConfig
from endash.text.labels import Labels

if TYPE_CHECKING:
    from torch import Tensor

    from endash.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a source that a model reads at once.

    Attributes:
        tokens: its token ids, eos included.
        passages: the token ids of each further source.
        places: where each of its words begins in `tokens`, from 1; empty where the whole gets one label.
        words: which words of the source are answered by this window, as first and end; (0, 1) where the whole gets one label.
        first: the number of its first word in the source.
    """

    tokens: list[int]
    passages: tuple[list[int], ...] = ()
    places: tuple[int, ...] = ()
    words: tuple[int, int] = (0, 1)
    first: int = 0


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
    def windows(self, record: Record, codec: Codec) -> list[Window]:
        """A source in parts that the model takes; one where it is not too long. Raises TextError where there is no way."""

    def settle(self, windows: Sequence[Window], found: Sequence[Tensor]) -> list[Tensor]:
        """The log-probabilities (L) of each label asked for, of what each window says of its own, (W, L).

        Several windows of one label are averaged by their lengths in tokens.
        """
        total = sum(len(window.tokens) for window in windows)
        mean = sum(len(window.tokens) / total * one[0].exp() for window, one in zip(windows, found, strict=True))
        return [mean.log()]  # type: ignore[union-attr]

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`."""
        if recipe.text.joint:
            return "text.joint = true shares one vocabulary, and labels have their own: leave it out"
        return None

    def vocabulary(self, records: Callable[[], Iterable[Record]], config: TextConfig, **known: Any) -> Codec:
        """See `Task.vocabulary`: the source's subwords, and the labels."""
        names = sorted({label for record in records() for label in self.labels(record)})
        known.setdefault("target", Labels.of(names))
        return super().vocabulary(records, config, **known)

    def labels(self, record: Record) -> tuple[str, ...]:
        """The labels of a record."""
        return (record.target,)

    def examples(
        self, records: Sequence[Record], codec: Codec, *, passages: Passages | None = None
    ) -> Iterator[list[Example | TooLong]]:
        """See `Task.examples`: one of each window. Raises CorpusError for a label that the train part has not."""
        for record in records:
            ids = [tokens[0] for tokens in codec.target.encode_parts([[label] for label in self.labels(record)])]
            yield [
                Example(one.tokens, ids[slice(*one.words)], one.passages, one.asked)
                for one in self.windows(record, codec)
            ]
