"""One experiment, described: a TOML file becomes a typed, checked `Recipe`, or an error that says what to change."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from endash.combination import why_not, why_not_labels, why_not_search
from endash.config import Config, apply_overrides
from endash.corpora import CorpusConfig, filters, readers
from endash.decoders import decoders
from endash.decoding.config import DecodingConfig
from endash.encoders import encoders
from endash.errors import RecipeError, nearest
from endash.evaluation.metrics import of_answers
from endash.explaining import explain
from endash.frontends import frontends
from endash.heads import Each, HeadConfig
from endash.links import links
from endash.objectives.noise import noises
from endash.parts.contracts import FrontendConfig, PartConfig
from endash.plugins import load_plugin
from endash.registry import Registry, kind_of
from endash.resolving import anchor_encoder, anchored, fill_in, plugins_of
from endash.retrieval import RetrievalConfig
from endash.tasks import Task, TranslationTask, tasks
from endash.text import TextConfig
from endash.training.config import DistillationConfig, TrainingConfig

_PARTS: dict[str | int, Registry[Any]] = {
    **{"task": tasks, "frontend": frontends, "encoder": encoders, "link": links, "decoder": decoders},
    **{"train": readers, "valid": readers, "test": readers, "filters": filters, "noise": noises, "noises": noises},
}


class TrainedConfig(Config):
    """Section ``[trained]`` of a recipe: models whose halves a new one begins with."""

    paths: ClassVar = ("encoder", "decoder")

    encoder: Annotated[
        str | None, Field(min_length=1, description="a model or run: its encoder, source embedding and vocabulary")
    ] = None
    decoder: Annotated[
        str | None,
        Field(min_length=1, description="a model or run: its decoder, head, target embedding and vocabulary"),
    ] = None


class Recipe(Config):
    """One experiment: its corpus, its model, its training, and how to decode with what comes out.

    Parts are chosen by the `kind` of their section. Three that cannot stand together are refused when the recipe is read.
    """

    name: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    plugins: Annotated[tuple[str, ...], Field(description="Python files that register parts of your own")] = ()
    task: Annotated[SerializeAsAny[Config], tasks.field()] = Field(default_factory=TranslationTask.Config)
    corpus: CorpusConfig
    text: TextConfig = Field(default_factory=TextConfig)
    frontend: Annotated[SerializeAsAny[FrontendConfig] | None, frontends.field()] = None
    encoder: Annotated[SerializeAsAny[PartConfig], encoders.field()]
    # None where the task writes labels, and only there: whoever reads them has a model that writes text
    link: Annotated[SerializeAsAny[Config], links.field()] = None  # type: ignore[assignment]
    decoder: Annotated[SerializeAsAny[PartConfig], decoders.field()] = None  # type: ignore[assignment]
    head: HeadConfig = Field(default_factory=HeadConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    decoding: DecodingConfig = Field(default_factory=DecodingConfig)
    retrieval: RetrievalConfig | None = None
    trained: TrainedConfig = Field(default_factory=TrainedConfig)
    distillation: DistillationConfig | None = None

    @property
    def does(self) -> Task:
        """Its task."""
        return tasks.build(self.task, frontend=self.frontend, readers=self.corpus.train)

    @property
    def joins(self) -> int:
        """How many further sources are joined to the memory of the first."""
        return self.retrieval.passages if self.retrieval else self.does.joins

    @property
    def measurable(self) -> tuple[str, ...]:
        """What ``training.metric`` may name: the loss, and the metrics of its task that are of answers."""
        return ("loss", *filter(of_answers, self.does.metrics))

    @property
    def takes_shortlist(self) -> bool:
        """True if what the model writes hangs on its source's tokens alone: it copies nothing, and nothing is joined or left out."""
        does = self.does
        return does.writes == "text" and does.reads == "text" and not (does.noisy or self.head.pointer or self.joins)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if reason := self._why_not_task():
            raise ValueError(reason)
        if self.does.writes != "text":
            each: Each = "word" if self.does.writes == "tags" else "source"
            if reason := why_not_labels(self.encoder, self.frontend, each=each, joins=self.joins) or self._too_long():
                raise ValueError(reason)
            return self
        embedded = self.encoder.reads == "vectors"
        head = self.head.why_not(
            joint=self.text.joint,
            encoder_width=self.encoder.input_width if embedded and self.frontend is None else None,
            decoder_width=self.decoder.width,
        )
        reasons = (
            why_not(self.encoder, self.link, self.decoder),
            None if embedded or self.does.reads != "text" else self._why_not_read_itself(),
            self._why_not_imported(),
            head,
            why_not_search(self.decoding, self.decoder),
            self._too_long(),
            self.head.why_not_ctc(self.encoder, joins=self.joins),
            self._why_not_ctc(),
        )
        if reason := next(filter(None, reasons), None):
            raise ValueError(reason)
        return self

    def _why_not_task(self) -> str | None:
        """Why the sections of this recipe are not those of its task."""
        does, named = self.does, f"task.kind = {kind_of(self.task)!r}"
        writes, reads = does.writes == "text", does.reads == "text"
        halves = {"link": self.link, "decoder": self.decoder}
        given = [name for name, half in halves.items() if half is not None]
        allowed = self.measurable
        reasons = (
            not writes and given and f"{named} reads its {does.writes} off the memory: leave [{given[0]}] out",
            reads and self.frontend and f"{named} reads text, and [frontend] is for sound and pictures: leave it out",
            not (reads or self.frontend or self.encoder.reads == does.reads)
            and f"{named} reads {does.reads}: give a [frontend], or an encoder, that reads them",
            self.frontend
            and self.frontend.reads != does.reads
            and f"{named} reads {does.reads}, and frontend.kind = {self.frontend.kind!r} reads {self.frontend.reads}: set "
            f"frontend.kind = {' or '.join(repr(one) for one in frontends if frontends[one].Config.reads == does.reads)}",
            self.retrieval
            and (does.joins or not (reads and writes))
            and f"[retrieval] joins pairs to a source of text, which {named} does not take: leave it out",
            self.training.metric not in allowed
            and f"training.metric = {self.training.metric!r} is unknown: {nearest(self.training.metric, allowed)}",
        )
        return next((reason for reason in reasons if isinstance(reason, str)), None) or does.why_not(self)

    def _why_not_read_itself(self) -> str | None:
        """Why an encoder that reads the source itself does not go with the rest of this recipe."""
        name, reads = f"encoder.kind = {self.encoder.innermost.kind!r}", self.encoder.reads
        if reads != "tokens":
            return f"{name} reads {reads}, and the corpus of a recipe is text: name the folder of a model such as BERT"
        for setting, value in (("text.joint", self.text.joint), ("text.placeholders", self.text.placeholders)):
            if value:
                return (
                    f"{name} has a vocabulary of its own, and {setting} = true asks for another: set {setting} = false"
                )
        if self.retrieval is not None:
            return f"{name} embeds its source itself, and [retrieval] joins to embedded tokens: leave [retrieval] out"
        return None

    def _why_not_imported(self) -> str | None:
        """Why an imported vocabulary, which has no sep and no slots, does not go with the rest of this recipe."""
        if self.text.model != "imported":
            return None
        if self.text.placeholders:
            return (
                "text.model = 'imported' has no tokens that stand for placeholders: set text.placeholders = false, and they are "
                "spelled like other text"
            )
        if self.retrieval is not None:
            return "text.model = 'imported' has no token between the source and the target of a passage: leave [retrieval] out"
        return None

    def _why_not_ctc(self) -> str | None:
        """Why beams cannot be judged by a CTC head."""
        if self.decoding.ctc is None or self.head.ctc:
            return None
        return f"decoding.ctc = {self.decoding.ctc:g} asks a CTC head, and there is none: set head.ctc, such as to 0.3, or leave it out"

    def _too_long(self) -> str | None:
        """Why texts of ``text.max_length`` are more than a part can read, None where they are not."""
        for role, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            end = None if part is None else learned_positions(part)
            if end is not None and self.text.max_length > end:
                return (
                    f"text.max_length = {self.text.max_length} is more than the {end} positions that the {role} learns: raise "
                    f"the {role}'s max_length to {self.text.max_length}, lower text.max_length, or leave out its "
                    'positions = "learned"'
                )
        return None

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = (), *, run_plugins: bool = True) -> Recipe:
        """The recipe in a TOML file, with `overrides` such as ``training.max_steps=100`` put over it.

        Its plugins are run, unless it is not the user's own. Relative paths start from the file's folder, those in `overrides` from the working directory. Raises
        RecipeError with a line for each thing that is wrong.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise RecipeError(f"{path}: there is no such recipe: {_beside(path)}") from None
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path} is not UTF-8 (byte {error.start}): a recipe is a UTF-8 text file") from None
        except OSError as error:
            raise RecipeError(f"{path}: the recipe cannot be read: {error.strerror}") from None
        return cls.parse(text, overrides, where=str(path), folder=path.parent, run_plugins=run_plugins)

    @classmethod
    def parse(
        cls,
        text: str,
        overrides: Sequence[str] = (),
        *,
        where: str = "the recipe",
        folder: str | Path = ".",
        run_plugins: bool = True,
    ) -> Recipe:
        """The recipe in a TOML text; `where` names it in errors, relative paths start from `folder`; else as `load`."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{where} is not TOML: {error}") from None
        changed = apply_overrides(data, overrides)
        anchor_encoder(data, Path(folder).absolute(), changed)
        plugins = plugins_of(data, Path(folder), typed="plugins" in changed)
        if run_plugins:
            for plugin in plugins:
                load_plugin(plugin)
        fill_in(data)
        try:
            recipe = cls.model_validate_json(json.dumps(data, default=str))
        except ValidationError as error:
            lines = explain(error, data, where=where, changed=changed, root=cls, parts=_PARTS)
            if plugins and not run_plugins:
                lines.append(
                    f"it was made with parts of somebody's own, and no code is run for it unasked: if you trust "
                    f"{', '.join(plugins)}, say endash --plugin {plugins[0]} …, or endash.load_plugin({plugins[0]!r})"
                )
            raise RecipeError("\n".join(lines)) from None
        paths = {
            name: anchored(getattr(recipe, name), Path(folder).absolute(), name, changed)
            for name in ("corpus", "trained", "distillation")
        }
        return recipe.model_copy(update={**paths, "plugins": tuple(plugins)})

    def changed(self, overrides: Sequence[str]) -> Recipe:
        """This recipe with overrides put over it, checked again."""
        return Recipe.parse(self.to_toml(), overrides, where=self.name)

    def to_toml(self) -> str:
        """The resolved recipe, every default filled in; `parse` makes an equal recipe of it."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any setting."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def learned_positions(part: Config) -> int | None:
    """How many positions an encoder or decoder learns, or the part that it wraps; None where they have no end."""
    inner = next(
        (held for name in ("encoder", "decoder") if isinstance(held := getattr(part, name, None), Config)), None
    )
    if inner is not None:
        return learned_positions(inner)
    return getattr(part, "max_length", None) if getattr(part, "positions", None) == "learned" else None


def _beside(path: Path) -> str:
    beside = {one.name: one for one in path.parent.glob("*.toml")}
    close = difflib.get_close_matches(path.name, beside, n=1)
    return f"did you mean {beside[close[0]]}?" if close else "check the path"
