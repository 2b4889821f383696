from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from endash.training.config import TrainingConfig


def test_without_an_end_it_is_20_epochs() -> None:
    assert TrainingConfig().max_epochs == 20
    assert TrainingConfig(max_steps=5).max_epochs is None
    assert TrainingConfig(max_minutes=0.5).max_epochs is None


def test_a_schedule_that_falls_to_zero_needs_an_end_in_steps() -> None:
    TrainingConfig(schedule="cosine", max_minutes=1.0, max_epochs=3)
    with pytest.raises(ValidationError, match=r"'cosine' falls to 0 at the end, .* give max_steps or max_epochs too"):
        TrainingConfig(schedule="cosine", max_minutes=1.0)


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_of_the_rate_is_a_share(share: float) -> None:
    with pytest.raises(ValidationError, match="pretrained_rate"):
        TrainingConfig(pretrained_rate=share)


def test_settings_are_read_without_torch() -> None:
    code = "import sys, endash.training.config; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
