"""The gradient of a step's batches, in the process that it is called in.

Whoever makes steps offers three calls, in this order: `gradient`, `norm` and `update`. `Alone` does so in this process,
`training.team.Team` in several.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import torch
from torch import nn

from endash.encoding import Batch
from endash.training.batches import Rows
from endash.training.batching import make_batch
from endash.training.config import TrainingConfig
from endash.training.examples import Examples
from endash.training.machine import Machine


@dataclass(frozen=True)
class Step:
    """What a step is made of.

    Attributes:
        step: its number; the first is 1.
        batches: the rows of each batch.
        targets: target tokens of all batches, each of which has the same weight.
        progress: how much of the training is done, 0 to 1.
        epoch: the epoch that its batches are of; the first is 0.
    """

    step: int
    batches: tuple[Rows, ...]
    targets: int
    progress: float
    epoch: int = 0


@dataclass(frozen=True)
class Measured:
    """The figures of a batch's `Loss`, without its graph: `total` is a mean over `tokens`, `nll` and `parts` are sums."""

    total: float = 0.0
    tokens: int = 0
    nll: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_shares(cls, shares: Iterable[Measured]) -> Measured:
        """The figures of a batch of which each process had some rows."""
        held = [share for share in shares if share.tokens]
        tokens = sum(share.tokens for share in held)
        names = held[0].parts if held else {}
        return cls(
            sum(share.total * share.tokens for share in held) / max(tokens, 1),
            tokens,
            sum(share.nll for share in held),
            {name: sum(share.parts[name] for share in held) for name in names},
        )


class Stepper(Protocol):
    """Makes steps; a context, at whose end nothing of them is left running."""

    def gradient(self, step: Step) -> list[Measured]:
        """Take the gradient of all batches; their losses, up to the first that is not finite."""

    def norm(self) -> float:
        """The norm of the gradient of all parameters, which is scaled down to `clip` where it is larger."""

    def update(self, rate: float) -> None:
        """Change the parameters, at this learning rate."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Work:
    """What a process needs to take gradients of its own."""

    def __init__(self, network: nn.Module, examples: Examples, config: TrainingConfig, machine: Machine) -> None:
        self.network, self.examples, self.config, self.machine = network, examples, config, machine

    def gradient(self, step: Step) -> list[Measured]:
        """Add the gradient of the batches to that of the parameters; see `Stepper.gradient`. A batch may have no rows."""
        self.network.train()
        losses: list[Measured] = []
        for rows in step.batches:
            if len(rows) == 0:
                losses.append(Measured())
                continue
            with self.machine.autocast():
                loss = self.network.loss(  # type: ignore[operator]
                    self.batch(rows, epoch=step.epoch),
                    label_smoothing=self.config.label_smoothing,
                    progress=step.progress,
                )
            losses.append(Measured(float(loss.total.detach()), loss.tokens, loss.nll, loss.parts))
            if not math.isfinite(losses[-1].total):
                break
            (loss.total * (loss.tokens / step.targets)).backward()
        return losses

    def batch(self, rows: Rows, *, epoch: int = 0) -> Batch:
        """The examples of these rows in an epoch, where the network is."""
        return make_batch(self.examples.of_epoch(epoch), rows, self.machine.device)


class Alone:
    """Steps made in this process."""

    def __init__(self, work: Work, optimizer: torch.optim.Optimizer) -> None:
        self.work, self.optimizer = work, optimizer

    def gradient(self, step: Step) -> list[Measured]:
        """See `Stepper`."""
        self.optimizer.zero_grad()
        return self.work.gradient(step)

    def norm(self) -> float:
        """See `Stepper`."""
        return float(nn.utils.clip_grad_norm_(self.work.network.parameters(), self.work.config.clip))

    def update(self, rate: float) -> None:
        """See `Stepper`."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
        self.optimizer.step()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing runs beside this process."""
