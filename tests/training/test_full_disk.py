"""A disk that fills while a run is made: the run says so, and goes on when there is room again."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from test_training_run import recipe

from endash.errors import ModelError, TrainingError
from endash.model import Model
from endash.training import train


@pytest.mark.parametrize("place", ["endash.model_folder.save_tensors", "endash.text.codec.Codec.save", "os.fsync"])
def test_a_run_names_its_folder_and_goes_on_with_room(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    small = recipe(tmp_path, "training.max_epochs=1")
    with monkeypatch.context() as patched:
        patched.setattr(place, full)
        with pytest.raises(TrainingError, match=r"No space left on device.*--resume") as told:
            train(small, tmp_path / "run", progress="quiet")
    assert str(tmp_path / "run") in str(told.value)
    begun = (tmp_path / "run" / "recipe.toml").exists()
    assert train(small, tmp_path / "run", resume=begun, progress="quiet").steps > 0


def test_a_model_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(recipe(tmp_path, "training.max_epochs=1"), tmp_path / "run", progress="quiet")
    model = Model.load(run.model)

    def full(*_: Any, **__: Any) -> None:
        raise OSError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("endash.model_folder.save_tensors", full)
    with pytest.raises(ModelError, match=r"kept: the model cannot be written \(.*No space left.*: free some space"):
        model.save(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
