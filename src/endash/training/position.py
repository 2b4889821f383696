"""How far a run has come: all of it that is not a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from endash.evaluation.metrics import is_lower_better

if TYPE_CHECKING:
    from endash.objectives.cross_entropy import Loss
    from endash.training.gradient import Measured


@dataclass(frozen=True)
class Validation:
    """What the valid part said after `step` steps.

    `figures` are by name: always ``loss`` in nats per target token, the metric, and the parts of the loss in nats per example.
    Of a variational model ``loss`` is the bound, and ``kl`` that part of it.
    """

    step: int
    epoch: int
    figures: dict[str, float]

    @property
    def loss(self) -> float:
        """Nats per target token."""
        return self.figures["loss"]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The validation of which `asdict` gave the values; before, each figure had a field, null if it was not made."""
        if "figures" in values:
            return cls(**values)
        figures = {name: value for name, value in values.items() if name not in {"step", "epoch"} and value is not None}
        return cls(values["step"], values["epoch"], figures)


@dataclass
class Window:
    """Sums since the last line of the log: of tokens, and of the negative log-likelihood of the target, in nats.

    `parts` are the named parts of the latter, of so many `examples`.
    """

    nll: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    examples: int = 0
    targets: int = 0
    tokens: int = 0
    padded: int = 0
    seconds: float = 0.0

    def add(self, loss: Measured | Loss) -> None:
        """Count the loss of a batch in."""
        self.nll += loss.nll
        for name, value in loss.parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + value


@dataclass
class Position:
    """Where a run stands. `batch` batches and `examples` examples of epoch `epoch`, counted from 0, are done."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    examples: int = 0
    seconds: float = 0.0
    validations: list[Validation] = field(default_factory=list)
    window: Window = field(default_factory=Window)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which gives every float back exactly."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Position:
        """The position of which `to_dict` gave the values."""
        validations = [Validation.from_dict(one) for one in values["validations"]]
        return cls(**{**values, "validations": validations, "window": Window(**values["window"])})

    @property
    def validated(self) -> bool:
        """True if the valid part was looked at after the last step."""
        return bool(self.validations) and self.validations[-1].step == self.step


def best(validations: Sequence[Validation], metric: str, count: int) -> list[Validation]:
    """The `count` best validations by this figure, the loss or a metric, the best first.

    Of two alike it is that of the lower loss, and if they are alike in that too the earlier.
    """
    sign = 1 if metric == "loss" or is_lower_better(metric) else -1
    return sorted(validations, key=lambda one: (sign * one.figures[metric], one.loss, one.step))[:count]


def is_unmoved(validations: Sequence[Validation], metric: str) -> bool:
    """True if several validations were made and this figure was the same in all of them, so that it chose nothing."""
    return len(validations) > 1 and len({one.figures[metric] for one in validations}) == 1


def stale(validations: Sequence[Validation], metric: str) -> int:
    """How many validations were made since the best one."""
    return len(validations) - 1 - validations.index(best(validations, metric, 1)[0]) if validations else 0
