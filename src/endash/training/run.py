"""From a recipe to a run: its folder, its corpus, the loop, and the model that comes out."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from endash.corpora import Corpus
from endash.errors import ModelError, RecipeError, TrainingError
from endash.example import Example
from endash.loading import AnyModel, class_of
from endash.model import Model
from endash.model_folder import BEST
from endash.recipe import Recipe
from endash.text.labels import Labels
from endash.training.averaging import choose
from endash.training.corpus_files import changed_files
from endash.training.distillation import Distilled
from endash.training.halves import Halves
from endash.training.interruption import Interrupted, Stop
from endash.training.journal import Journal
from endash.training.loop import Surroundings, Training
from endash.training.machine import Machine, keep_freed_memory, machine_for
from endash.training.position import is_unmoved
from endash.training.preparation import Prepared, prepare
from endash.training.progress import Progress, Show
from endash.training.run_folder import run_folder
from endash.training.shortlisting import coverage, learn_shortlist
from endash.training.validation import Validator

_CHANGED = "has changed since this run began, and what was made of it then stays: to learn from it as it is now, train in another folder"


@dataclass(frozen=True)
class Run:
    """A training that has come to its end.

    Attributes:
        folder: the run; it is also a model.
        model: the saved model in it, which is the best that validation saw.
        metrics: the figures of all its steps and validations, a JSON object a line.
        ended_by: the limit that it reached, or the patience.
        steps: of the optimiser.
        averaged: the steps whose parameters the model is the mean of; one if the best checkpoint alone was better.
        valid: what the valid part says of the model.
        minutes: of training, in all its processes.
    """

    folder: Path
    model: Path
    metrics: Path
    ended_by: str
    steps: int
    averaged: tuple[int, ...]
    valid: dict[str, float]
    minutes: float


def train(recipe: Recipe, out: str | os.PathLike[str], *, resume: bool = False, progress: Show = "auto") -> Run:
    """Train the model that `recipe` describes, in the folder `out`; with `resume`, go on with the run in it.

    Raises:
        RecipeError: `recipe` is no recipe, such as the path of one.
        TrainingError: the folder is not free or not this recipe's, the loss is not finite, the folder cannot be written.
        CorpusError, TextError: the corpus is not as the recipe says.
        Interrupted: Ctrl-C or SIGTERM came, and a checkpoint was saved.
    """
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            f"train takes a Recipe, and {recipe!r} is none: give Recipe.load(path), of the path of a TOML file"
        )
    machine = machine_for(recipe.training)
    keep_freed_memory()
    with _told(Path(out)), run_folder(recipe, Path(out), resume=resume) as folder, Progress(progress) as shown:
        try:
            return _train(recipe, folder, machine, shown)
        except Interrupted:
            raise
        except KeyboardInterrupt:  # before the loop, which stops in an order of its own
            raise Interrupted(
                f"stopped while the run in {out} was made ready; what is ready is kept. To go on, give the same command "
                "with --resume"
            ) from None


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turns a full disk, and all else that keeps the run in `out` from being written, into a TrainingError."""
    try:
        yield
    except (OSError, ModelError) as error:
        reason = error if isinstance(error, OSError) else error.__cause__
        if isinstance(reason, BrokenPipeError) or not isinstance(reason, OSError):  # a pipe is the progress's reader
            raise
        raise TrainingError(
            f"the run in {out} cannot be written: {reason.strerror or reason}. Its checkpoints stay as they are: free "
            "some space or mend the folder, then give the same command with --resume"
        ) from error


def _train(recipe: Recipe, folder: Path, machine: Machine, shown: Progress) -> Run:
    """The run in its folder, from the corpus to the model."""
    halves = functools.cache(lambda: Halves(recipe))  # a run that goes on needs them no more
    for path in changed_files(recipe.corpus, folder / "examples" / "files.json"):
        shown.warn(f"{path} {_CHANGED}")
    prepared = prepare(
        recipe,
        folder,
        say=shown.say,
        known=lambda: halves().vocabularies(),
        distilled=_distilled(recipe, folder, machine, shown),
    )
    shown.say(f"training on {machine}")
    for warning in filter(None, [*_alike(prepared), machine.warning]):
        shown.warn(warning)
    torch.manual_seed(recipe.seed)
    model = class_of(recipe).build(recipe, prepared.codec, pairs=prepared.pairs)
    validator = Validator(model, prepared.valid, recipe.training, machine)
    training = Training(
        model.network,
        prepared.train,
        recipe.training,
        seed=recipe.seed,
        folder=folder,
        machine=machine,
        surroundings=Surroundings(validator, lambda: model.save(folder / BEST), _reader(prepared)),
        progress=shown,
    )
    if not training.restore():
        for warning in halves().give(model):
            shown.warn(warning)
    with Stop() as stop, Journal(folder, step=training.position.step, warn=shown.warn) as journal:
        ended_by = training.run(stop, journal)
        run = _finish(training, lambda: validator(stop), ended_by, journal)
        notes = _notes(run) + (_shortlist(model, prepared) if recipe.takes_shortlist else [])
        model.save(run.model, notes=notes)
    if is_unmoved(training.position.validations, recipe.training.metric):
        shown.warn(_unmoved(training, recipe))
    shown.say(f"ended by {ended_by}: {', '.join(notes)}")
    return run


def _distilled(recipe: Recipe, folder: Path, machine: Machine, shown: Progress) -> Callable[[Corpus], Distilled] | None:
    config = recipe.distillation
    if config is None:
        return None
    return lambda corpus: Distilled(corpus, config, folder / "teacher", device=machine.device, progress=shown)


def _finish(
    training: Training, validate: Callable[[], dict[str, float] | None], ended_by: str, journal: Journal
) -> Run:
    """Put the best parameters into the network, and sum up."""
    position = training.position
    chosen = choose(training.network, training.checkpoints, position, training.config, validate=validate)
    if chosen is None:
        raise Interrupted(
            "stopped while the best checkpoints were averaged. To go on, give the same command with --resume"
        )
    journal.write("final", position.step, {"averaged": list(chosen.steps), **chosen.figures})
    return Run(
        folder=training.folder,
        model=training.folder / BEST,
        metrics=journal.path,
        ended_by=ended_by,
        steps=position.step,
        averaged=chosen.steps,
        valid=chosen.figures,
        minutes=position.seconds / 60,
    )


def _alike(prepared: Prepared) -> list[str]:
    """Warnings of labels that may be meant as one."""
    labels = prepared.codec.target
    return [
        f"the labels {' and '.join(map(repr, names))} differ by white space or case alone, and each is learned as a label of its "
        "own: make them one in the corpus if they mean one thing"
        for names in (labels.alike if isinstance(labels, Labels) else [])
    ]


def _unmoved(training: Training, recipe: Recipe) -> str:
    """What to do where the metric had no say in which checkpoint is the best."""
    metric, validations = recipe.training.metric, training.position.validations
    others = [f"{one!r}" for one in recipe.measurable if one != metric]
    return (
        f"training.metric = {metric!r} was {validations[0].figures[metric]:.3f} in all {len(validations)} validations, so the "
        f"loss alone chose the model: set training.metric to one that tells models apart: {', '.join(others)}"
    )


def _notes(run: Run) -> list[str]:
    """Lines for the model card."""
    what = f"the mean of the checkpoints of steps {', '.join(map(str, run.averaged))}"
    figures = ", ".join(f"{name} {value:.2f}" for name, value in run.valid.items())
    return [
        f"{run.steps} steps in {run.minutes:.1f} minutes",
        what if len(run.averaged) > 1 else f"the checkpoint of step {run.averaged[0]}",
        f"on the valid part: {figures}",
    ]


def _shortlist(model: AnyModel, prepared: Prepared) -> list[str]:
    """Give the model the shortlist that its examples teach; a line for the model card."""
    assert isinstance(model, Model)
    model.shortlist = learn_shortlist(prepared)
    held = coverage(model.shortlist, prepared.valid)
    return [
        f"the shortlist has {held.size:.0f} of {prepared.codec.size_target:,} target tokens for a source on average, and "
        f"holds {held.share:.1%} of the valid part's"
    ]


def _reader(prepared: Prepared) -> Callable[[Example], dict[str, Any]]:
    """Shows an example's tokens as text, for the report of a batch that broke the loss."""
    codec = prepared.codec

    def read(example: Example) -> dict[str, Any]:
        source = example.source if isinstance(example.source, list) else []  # of a sound or picture there are none
        return {
            "source": " ".join(codec.source.pieces(source)),
            "target": " ".join(codec.target.pieces(example.target)),
            "passages": [" ".join(codec.source.pieces(passage)) for passage in example.passages],
            "source_tokens": source,
            "target_tokens": example.target,
        }

    return read
