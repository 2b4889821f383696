"""Denoising: texts alone, of which noise makes what is read and what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializeAsAny

from endash.config import Config as Settings
from endash.corpora import Record
from endash.example import Example
from endash.objectives.noise import Noise, Symbols, noises
from endash.objectives.noise.span_corruption import SpanCorruptionConfig
from endash.registry import kind_of
from endash.tasks.contract import Passages, Task, TooLong
from endash.tasks.registry import tasks
from endash.text import Codec, TextConfig

if TYPE_CHECKING:
    from endash.recipe import Recipe


@tasks.register
class DenoisingTask(Task):
    """Text alone, to pretrain by: a recipe with ``[trained]`` then begins with the encoder and decoder of such a run.

    Only the texts are stored; each epoch puts other noise on them (`endash.training.noised`). Targets of the corpus are not
    read, and the model is judged by its loss.
    """

    class Config(Settings):
        """Section ``[task]`` with ``kind = "denoising"``."""

        kind: Literal["denoising"] = "denoising"
        noise: Annotated[
            SerializeAsAny[Settings],
            noises.field(),
            Field(default_factory=SpanCorruptionConfig, description="what is left out or moved, a table with its kind"),
        ]

    metrics = ()
    noisy = True

    def why_not(self, recipe: Recipe) -> str | None:
        """See `Task.why_not`."""
        named = "task.kind = 'denoising'"
        asked: dict[str, Any] = {
            "[retrieval]": recipe.retrieval,
            "[distillation]": recipe.distillation,
            "head.ctc": recipe.head.ctc,
        }
        if given := next((name for name, value in asked.items() if value), None):
            return f"{named} has nothing but texts to learn from, and {given} is for pairs: leave it out"
        if not recipe.text.joint:
            return f"{named} reads and writes the same texts: set text.joint = true"
        return noises[kind_of(self.config.noise)].why_not(self.config.noise, recipe.text)

    def noise(self, codec: Codec) -> Noise:
        """See `Task.noise`."""
        return noises.build(self.config.noise, Symbols.of(codec.target))

    def fault(self, record: Record) -> str | None:
        """See `Task.fault`."""
        return None if record.source.strip() else "there is no text to learn from"

    def targets(self, record: Record) -> tuple[str, ...]:
        """See `Task.targets`: what is right of a text is the text."""
        return (record.source,)

    def vocabulary(self, records: Callable[[], Iterable[Record]], config: TextConfig, **known: Any) -> Codec:
        """See `Task.vocabulary`: learned from each text once."""
        return Codec.train(lambda: ((record.source, "") for record in records()), config, **known)

    def examples(
        self, records: Sequence[Record], codec: Codec, *, passages: Passages | None = None
    ) -> Iterator[list[Example | TooLong]]:
        """See `Task.examples`: the text as a source; its target is made with its noise."""
        for source in codec.encode_sources([record.source for record in records]):
            fits = len(source.tokens) <= codec.config.max_length
            yield [Example(source.tokens, []) if fits else TooLong("source")]
