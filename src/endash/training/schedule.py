"""The learning rate of a step."""

from __future__ import annotations

import math

from endash.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int, *, progress: float) -> float:
    """The learning rate of step `step` (the first is 1), `progress` of the way from 0 to the end, 1.

    It rises in a straight line for `warmup` steps and falls as its schedule says:
    ``inverse-square-root`` as √(warmup / step) (Vaswani et al. 2017, section 5.3), whatever the end;
    ``cosine`` as ½ (1 + cos π·progress) (Loshchilov & Hutter 2017, without restarts) and ``linear`` as 1 - progress,
    both over all of the run, the warm-up included, and down to 0.
    """
    warmup = max(config.warmup, 1)
    rising = min(1.0, step / warmup)
    progress = min(1.0, progress)
    match config.schedule:
        case "inverse-square-root":
            falling = math.sqrt(warmup / max(step, warmup))
        case "cosine":
            falling = 0.5 * (1 + math.cos(math.pi * progress))
        case "linear":
            falling = 1 - progress
    return config.learning_rate * rising * falling
