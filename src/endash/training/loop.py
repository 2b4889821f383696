"""The training loop: steps, validations and checkpoints of one network over stored examples."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from endash.errors import RecipeError, TrainingError
from endash.example import Example
from endash.files import write_text
from endash.parts.contracts import Encoder
from endash.training.batches import Rows, Size, epoch_batches, size_of
from endash.training.checkpoints import Checkpoints
from endash.training.config import TrainingConfig
from endash.training.examples import Examples
from endash.training.gradient import Alone, Step, Stepper, Work
from endash.training.interruption import Interrupted, Stop
from endash.training.journal import Journal
from endash.training.machine import Machine
from endash.training.position import Position, Validation, Window, best, stale
from endash.training.progress import Progress, Standing
from endash.training.schedule import learning_rate
from endash.training.team import Team

Figures = dict[str, float]


@dataclass(frozen=True)
class Surroundings:
    """What the loop calls for all that is not training.

    Attributes:
        validate: ``loss`` and the metric of the network as it stands, by name; None if `Stop` was
            requested meanwhile.
        keep_best: called when the network as it stands is the best so far.
        readable: an example as words, for the report of a loss that is not finite.
    """

    validate: Callable[[Stop], Figures | None]
    keep_best: Callable[[], None]
    readable: Callable[[Example], dict[str, Any]]


class Training:
    """One run of a network over examples; `run` does all of it."""

    def __init__(
        self,
        network: nn.Module,
        examples: Examples,
        config: TrainingConfig,
        *,
        seed: int,
        folder: Path,
        machine: Machine,
        surroundings: Surroundings,
        progress: Progress,
    ) -> None:
        self.network, self.examples, self.config = network.to(machine.device), examples, config
        self.seed, self.folder, self.machine = seed, folder, machine
        self.surroundings, self.progress = surroundings, progress
        self.checkpoints = Checkpoints(folder / "checkpoints", warn=progress.warn)
        self.optimizer = adamw(network, config)
        self.position = Position()
        self.work = Work(self.network, examples, config, machine)
        self._stepper: Stepper = (
            Team(self.work, self.optimizer, workers=machine.workers, seed=seed)
            if machine.workers > 1
            else Alone(self.work, self.optimizer)
        )

    def run(self, stop: Stop, journal: Journal) -> str:
        """Train from where the run stands to its end; gives what ended it.

        Raises Interrupted when `stop` was requested, after a checkpoint; TrainingError for a loss that is not finite or
        a checkpoint that cannot be written.
        """
        self._journal, self._batches = journal, self._epoch()
        with self._stepper:
            return self._steps(stop)

    def _steps(self, stop: Stop) -> str:
        """Steps and validations up to the end; gives what ended it."""
        while True:
            limit = self._limit()
            if (limit or self._validation_due()) and not self.position.validated:
                self._validate(stop)
            if stop.requested:
                self._interrupt()
            if limit := limit or self._out_of_patience():
                return limit
            self._step()

    def restore(self) -> bool:
        """Stand where the newest whole checkpoint does; False if there is none."""
        newest = self.checkpoints.newest()
        if newest is None:
            return False
        self.position = self.checkpoints.restore(newest, self.network, self.optimizer)
        self.progress.say(f"going on from step {newest}")
        if self.checkpoints.threads(newest) != torch.get_num_threads():
            self.progress.warn(
                f"the checkpoint was computed with {self.checkpoints.threads(newest)} threads, this process has "
                f"{torch.get_num_threads()}: sums will differ in their last bits from those of an unbroken run"
            )
        return True

    def _epoch(self) -> Iterator[Rows]:
        """The batches of this epoch that are still to be done."""
        position, config = self.position, self.config
        self._drawn = self.examples.of_epoch(position.epoch)
        batches = epoch_batches(
            self._drawn.lengths, batch_tokens=config.batch_tokens, seed=self.seed, epoch=position.epoch
        )
        return islice(batches, position.batch, None)

    def _step(self) -> None:
        """One step of the optimiser, over `accumulate` batches, each token of them with the same weight."""
        began = time.monotonic()
        group = list(islice(self._batches, self.config.accumulate))
        targets = sum(int(self._drawn.lengths[rows, 1].sum()) for rows in group)
        rate = learning_rate(self.config, self.position.step + 1, progress=self._fraction())
        step = Step(self.position.step + 1, tuple(group), targets, self._fraction(), self.position.epoch)
        losses = self._stepper.gradient(step)
        for rows, loss in zip(group, losses, strict=False):
            self._check(loss.total, "loss", [rows], rate)
            self.position.window.add(loss)
        norm = self._stepper.norm()
        self._check(norm, "gradient norm", group, rate)
        self._stepper.update(rate)
        self._advance(group, time.monotonic() - began)
        self._log(rate, norm)

    def _advance(self, group: list[Rows], seconds: float) -> None:
        position, window = self.position, self.position.window
        size = sum((size_of(self._drawn.lengths[rows]) for rows in group), start=Size())
        window.examples += sum(map(len, group))
        window.targets += sum(int(self._drawn.lengths[rows, 1].sum()) for rows in group)
        window.tokens += size.real
        window.padded += size.padded
        window.seconds += seconds
        position.seconds += seconds
        position.step += 1
        position.batch += len(group)
        position.examples += sum(map(len, group))
        if position.examples == len(self.examples):
            position.epoch, position.batch, position.examples = position.epoch + 1, 0, 0
            self._batches = self._epoch()

    def _log(self, rate: float, norm: float) -> None:
        position, window = self.position, self.position.window
        due = position.step % self.config.log_every == 0
        loss, speed = window.nll / window.targets, window.tokens / max(window.seconds, 1e-9)
        self.progress.step(Standing(position.step, position.epoch, self._fraction(), loss, rate, speed), log=due)
        if due:
            figures = {"epoch": position.epoch, "loss": loss, "learning_rate": rate, "gradient_norm": norm}
            figures |= {name: value / window.examples for name, value in window.parts.items()}
            size = Size(window.tokens, window.padded)
            figures |= {"tokens_per_second": speed, "padding": size.padding, "seconds": position.seconds}
            self._journal.write("train", position.step, figures)
            position.window = Window()

    def _validate(self, stop: Stop) -> None:
        began = time.monotonic()
        figures = self.surroundings.validate(stop)
        if figures is None:
            return
        position, metric = self.position, self.config.metric
        validation = Validation(position.step, position.epoch, figures)
        position.validations.append(validation)
        if improved := stale(position.validations, metric) == 0:
            self.surroundings.keep_best()
        position.seconds += time.monotonic() - began
        perplexity = math.exp(min(validation.loss, 700.0))
        self._journal.write("valid", position.step, {"epoch": position.epoch, **figures, "perplexity": perplexity})
        shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self.progress.say(f"step {position.step}: valid {shown}{', the best so far' if improved else ''}")
        self._save()

    def _save(self) -> Path:
        path = self.checkpoints.write(self.position, self.network, self.optimizer)
        self.checkpoints.prune(
            one.step for one in best(self.position.validations, self.config.metric, self.config.average)
        )
        return path

    def _interrupt(self) -> None:
        path = self.checkpoints.path(self.position.step) if self.position.validated else self._save()
        raise Interrupted(
            f"stopped at step {self.position.step}; kept in {path}. To go on, give the same command with --resume"
        )

    def _limit(self) -> str | None:
        """The limit that the run has reached, None if there is more to do."""
        config, position = self.config, self.position
        if config.max_steps is not None and position.step >= config.max_steps:
            return f"max_steps = {config.max_steps}"
        if config.max_epochs is not None and position.epoch >= config.max_epochs:
            return f"max_epochs = {config.max_epochs}"
        if config.max_minutes is not None and position.seconds >= 60 * config.max_minutes:
            return f"max_minutes = {config.max_minutes:g}"
        return None

    def _out_of_patience(self) -> str | None:
        patience = self.config.patience
        if patience is None or stale(self.position.validations, self.config.metric) < patience:
            return None
        return f"patience = {patience}"

    def _validation_due(self) -> bool:
        position, every = self.position, self.config.validate_every
        return position.step > 0 and (position.batch == 0 if every is None else position.step % every == 0)

    def _fraction(self) -> float:
        """How far the run is of the end set in steps or epochs, or else in minutes: 0 to 1."""
        config, position = self.config, self.position
        fractions = []
        if config.max_steps is not None:
            fractions.append(position.step / config.max_steps)
        if config.max_epochs is not None:
            fractions.append((position.epoch + position.examples / len(self.examples)) / config.max_epochs)
        if not fractions and config.max_minutes is not None:
            fractions.append(position.seconds / (60 * config.max_minutes))
        return min(1.0, max(fractions))

    def _check(self, value: float, name: str, group: list[Rows], rate: float) -> None:
        """Raises TrainingError if `value` is not finite, having written the batches that made it to the run's folder."""
        if math.isfinite(value):
            return
        step = self.position.step + 1
        path = self.folder / f"not-finite-{step:06d}.json"
        examples = [self.surroundings.readable(self._drawn[row]) for rows in group for row in rows]
        report = {"step": step, "what": name, "value": str(value), "learning_rate": rate, "examples": examples}
        write_text(path, json.dumps(report, ensure_ascii=False, indent=1))
        raise TrainingError(
            f"step {step}: the {name} is {value} at learning rate {rate:.3g}. The {len(examples)} examples of the batch are "
            f"in {path}. The last checkpoint is from before it: look for broken examples there, lower "
            "training.learning_rate or lengthen training.warmup, and train in another folder"
        )


def adamw(network: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) with β = (0.9, 0.98) of Vaswani et al. 2017, section 5.3; vectors are not decayed.

    A group's `scale` is its share of the learning rate: `pretrained_rate` for what was trained elsewhere, else 1. Raises
    RecipeError where there is such a share, and nothing that it is for.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    encoders = [one for one in network.modules() if isinstance(one, Encoder) and one.trained_elsewhere]
    elsewhere = {one for encoder in encoders for one in encoder.parameters() if one.requires_grad}
    if config.pretrained_rate != 1 and not elsewhere:
        raise RecipeError(
            f"training.pretrained_rate = {config.pretrained_rate} is for an encoder that was trained elsewhere and is trained on, "
            'and here is none: set encoder.frozen = false with encoder.kind = "pretrained", or leave it out'
        )
    groups = [
        {
            "params": [one for one in trained if (one in elsewhere) == old and (one.dim() > 1) == decayed],
            "weight_decay": config.weight_decay if decayed else 0.0,
            "scale": config.pretrained_rate if old else 1.0,
        }
        for old in ((False, True) if elsewhere else (False,))
        for decayed in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=True)
