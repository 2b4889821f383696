from __future__ import annotations

import pytest

from endash.training.config import TrainingConfig
from endash.training.schedule import learning_rate


def rate(schedule: str, step: int, progress: float = 0.0, warmup: int = 100) -> float:
    config = TrainingConfig.model_validate(
        {"schedule": schedule, "learning_rate": 2.0, "warmup": warmup, "max_steps": 1000}
    )
    return learning_rate(config, step, progress=progress)


@pytest.mark.parametrize("schedule", ["inverse-square-root", "cosine", "linear"])
def test_warm_up_is_a_straight_line(schedule: str) -> None:
    assert rate(schedule, 1) == pytest.approx(0.02)
    assert rate(schedule, 50) == pytest.approx(1.0)
    assert rate(schedule, 100) == pytest.approx(2.0)


def test_inverse_square_root_is_quartered_in_sixteen_times_the_steps_whatever_the_end() -> None:
    assert rate("inverse-square-root", 1600, 0.3) == rate("inverse-square-root", 1600, 0.9) == pytest.approx(0.5)


def test_cosine_and_linear_fall_to_zero_and_stay_there() -> None:
    for schedule in ("cosine", "linear"):
        assert rate(schedule, 500, 0.5) == pytest.approx(1.0)
        assert rate(schedule, 1000, 1.0) == pytest.approx(0.0, abs=1e-12)
        assert rate(schedule, 1100, 1.1) == pytest.approx(0.0, abs=1e-12)
    assert rate("cosine", 500, 0.25) == pytest.approx(1 + 2**-0.5)
    assert rate("linear", 500, 0.25) == pytest.approx(1.5)


def test_no_warm_up() -> None:
    assert rate("inverse-square-root", 1, warmup=0) == pytest.approx(2.0)
