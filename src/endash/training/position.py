"""How far a run has come: all of it that is not a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from endash.objectives.cross_entropy import Loss
    from endash.training.gradient import Measured

MetricName = Literal["bleu", "chrf", "loss"]


@dataclass(frozen=True)
class Validation:
    """What the valid part said after `step` steps: nats per target token, and BLEU or chrF if that is the metric.

    Of a variational model `loss` is the bound, and `kl` that part of it, in nats per sentence.
    """

    step: int
    epoch: int
    loss: float
    bleu: float | None = None
    chrf: float | None = None
    kl: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The figures by name."""
        named = {"loss": self.loss, "bleu": self.bleu, "chrf": self.chrf, "kl": self.kl}
        return {name: value for name, value in named.items() if value is not None}

    def value(self, metric: MetricName) -> float:
        """The figure that decides."""
        return self.figures[metric]


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
        validations = [Validation(**one) for one in values["validations"]]
        return cls(**{**values, "validations": validations, "window": Window(**values["window"])})

    @property
    def validated(self) -> bool:
        """True if the valid part was looked at after the last step."""
        return bool(self.validations) and self.validations[-1].step == self.step


def best(validations: Sequence[Validation], metric: MetricName, count: int) -> list[Validation]:
    """The `count` best validations, the best first; of two alike the earlier."""
    sign = 1 if metric == "loss" else -1
    return sorted(validations, key=lambda one: (sign * one.value(metric), one.step))[:count]


def stale(validations: Sequence[Validation], metric: MetricName) -> int:
    """How many validations were made since the best one."""
    return len(validations) - 1 - validations.index(best(validations, metric, 1)[0]) if validations else 0
