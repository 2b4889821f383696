"""The model that comes out of a run: the mean of its best checkpoints, or the best one where that is better.

The mean of parameters at several points of one run generalises better than any of them (Vaswani et al. 2017, section 6.1, for
the last checkpoints; Popel & Bojar 2018, section 4.8). Here the points are those with the best figures on the valid part, and
the valid part also judges the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from endash.training.checkpoints import Checkpoints, put
from endash.training.config import TrainingConfig
from endash.training.position import Position, Validation, best


@dataclass(frozen=True)
class Chosen:
    """The steps of the checkpoints whose mean is in the network now, and what the valid part says of it."""

    steps: tuple[int, ...]
    figures: dict[str, float]


def choose(
    network: nn.Module,
    checkpoints: Checkpoints,
    position: Position,
    config: TrainingConfig,
    *,
    validate: Callable[[], dict[str, float] | None],
) -> Chosen | None:
    """Put the best parameters that the run has into `network`; None if `validate` was stopped meanwhile."""
    candidates = best(position.validations, config.metric, config.average)
    if len(candidates) > 1:
        steps = tuple(sorted(one.step for one in candidates))
        put(checkpoints.average(steps), network, where=str(checkpoints.folder))
        figures = validate()
        if figures is None:
            return None
        mean = Validation(position.step, position.epoch, figures)
        if best([candidates[0], mean], config.metric, 1) == [mean]:
            return Chosen(steps, figures)
    put(checkpoints.average([candidates[0].step]), network, where=str(checkpoints.folder))
    return Chosen((candidates[0].step,), candidates[0].figures)
