from __future__ import annotations

import errno
import json
import re
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import TinyNetwork

from endash.errors import TrainingError
from endash.training import checkpoints as module
from endash.training.checkpoints import Checkpoints, parameters
from endash.training.config import TrainingConfig
from endash.training.loop import adamw
from endash.training.position import Position, Validation


class Saved:
    """Checkpoints of a network whose parameters are all the number of the step."""

    def __init__(self, folder: Path) -> None:
        self.network = TinyNetwork()
        self.optimizer = adamw(self.network, TrainingConfig())
        self.warnings: list[str] = []
        self.checkpoints = Checkpoints(folder / "checkpoints", warn=self.warnings.append)
        self.network.middle.weight.grad = torch.ones_like(self.network.middle.weight)

    def write(self, *steps: int) -> None:
        for step in steps:
            self.optimizer.step()
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.fill_(step)
            self.checkpoints.write(Position(step=step), self.network, self.optimizer)

    def held(self) -> float:
        return float(self.network.embedding.weight[0, 0])


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path)


def test_restore_gives_back_everything(saved: Saved) -> None:
    saved.write(1)
    position = Position(3, 1, 2, 40, 7.25, [Validation(2, 1, {"loss": 0.1 + 0.2, "bleu": 3.3})])
    position.window.nll = 1 / 3
    saved.checkpoints.write(position, saved.network, saved.optimizer)
    drawn = torch.rand(3)
    other = TinyNetwork()
    optimizer = adamw(other, TrainingConfig())
    assert saved.checkpoints.restore(3, other, optimizer) == position
    assert torch.equal(torch.rand(3), drawn)
    assert all(torch.equal(one, parameters(saved.network)[name]) for name, one in parameters(other).items())
    own, restored = saved.optimizer.state[saved.network.middle.weight], optimizer.state[other.middle.weight]
    assert own.keys() == restored.keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert all(torch.equal(own[slot], restored[slot]) for slot in own)


def test_a_position_of_before_is_read_with_its_figures() -> None:
    """Each figure had a field of its own."""
    values = Position().to_dict()
    values["validations"] = [{"step": 2, "epoch": 1, "loss": 0.5, "bleu": None, "chrf": 3.3, "kl": None}]
    [validation] = Position.from_dict(values).validations
    assert validation == Validation(2, 1, {"loss": 0.5, "chrf": 3.3})


@pytest.mark.parametrize(
    "file", ["parameters.safetensors", "optimizer.safetensors", "random.safetensors", "position.json"]
)
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(saved: Saved, file: str, harm: str) -> None:
    saved.write(1, 2)
    path = saved.checkpoints.path(2) / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if harm == "flip" else content[:-1])
    if harm == "remove":
        path.unlink()
    if (file, harm) == ("optimizer.safetensors", "remove"):  # as of a checkpoint that is only kept for the average
        assert saved.checkpoints.newest() == 1
        return
    assert saved.checkpoints.newest() == 1
    (warning,) = saved.warnings
    assert re.search(r"step-000002 is (damaged|not whole).*going on from step 1 instead", warning)


def test_without_a_manifest_it_is_not_whole(saved: Saved) -> None:
    saved.write(1)
    (saved.checkpoints.path(1) / "manifest.json").unlink()
    with pytest.raises(TrainingError, match=r"no checkpoint in .* can be gone on from: .*not whole.*another folder"):
        saved.checkpoints.newest()


def test_nothing_there(saved: Saved) -> None:
    assert saved.checkpoints.newest() is None


@pytest.mark.parametrize("place", ["save_tensors", "_write_json", "sync", "replace"])
def test_a_full_disk_loses_no_earlier_checkpoint(saved: Saved, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    saved.write(1)
    owner = {"sync": "endash.files.sync", "replace": "os.replace"}.get(place, f"{module.__name__}.{place}")
    monkeypatch.setattr(owner, full)
    with pytest.raises(TrainingError, match=r"step 2 .*No space left.*step 1 is untouched.*go on with --resume"):
        saved.write(2)
    monkeypatch.undo()
    assert [path.name for path in saved.checkpoints.folder.iterdir()] == ["step-000001"]
    assert saved.checkpoints.newest() == 1


def test_a_limit_of_the_system_met_within_safetensors_is_an_error_of_ours(saved: Saved) -> None:
    saved.write(1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))
    try:
        with pytest.raises(TrainingError, match=r"step 2 cannot be written.*File too large.*step 1 is untouched"):
            saved.write(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.checkpoints.newest() == 1


def test_writing_a_step_again_replaces_it(saved: Saved) -> None:
    saved.write(1)
    saved.write(1)
    assert saved.checkpoints.newest() == 1
    assert [path.name for path in saved.checkpoints.folder.iterdir()] == ["step-000001"]


def test_leftovers_are_cleared_and_what_was_moved_aside_comes_back(saved: Saved) -> None:
    saved.write(1, 2)
    folder = saved.checkpoints.folder
    shutil.copytree(folder / "step-000001", folder / ".step-000003.writing")
    (folder / "step-000002").rename(folder / ".step-000002.former")
    assert Checkpoints(folder, warn=print).steps() == [1, 2]
    assert sorted(path.name for path in folder.iterdir()) == ["step-000001", "step-000002"]


def test_prune_keeps_the_newest_two_whole_and_of_the_best_the_parameters(saved: Saved) -> None:
    saved.write(1, 2, 3, 4, 5)
    saved.checkpoints.prune([2, 5])
    assert saved.checkpoints.steps() == [2, 4, 5]
    held = {step: (saved.checkpoints.path(step) / "optimizer.safetensors").exists() for step in (2, 4, 5)}
    assert held == {2: False, 4: True, 5: True}
    assert saved.checkpoints.newest() == 5
    assert float(saved.checkpoints.average([2, 4])["embedding.weight"][0, 0]) == 3.0


def test_average_leaves_out_what_is_damaged(saved: Saved) -> None:
    saved.write(1, 2, 6)
    (saved.checkpoints.path(1) / "parameters.safetensors").write_bytes(b"")
    mean = saved.checkpoints.average([1, 2, 6])
    assert "left out of the average" in saved.warnings[0]
    assert mean["middle.bias"].dtype == torch.float32
    assert float(mean["middle.bias"][0]) == 4.0
    with pytest.raises(TrainingError, match=r"best checkpoints .* are damaged"):
        saved.checkpoints.average([1])


def test_another_network_is_refused_by_name(saved: Saved) -> None:
    saved.write(1)
    other = TinyNetwork()
    other.middle = torch.nn.Linear(8, 8, bias=False)
    with pytest.raises(TrainingError, match=r"step-000001 is of another network: middle\.bias differs"):
        saved.checkpoints.restore(1, other, adamw(other, TrainingConfig()))
    wider = TinyNetwork()
    wider.middle = torch.nn.Linear(8, 9)
    with pytest.raises(TrainingError, match=r"middle\.weight, middle\.bias differ"):
        saved.checkpoints.restore(1, wider, adamw(wider, TrainingConfig()))


def test_the_manifest_holds_size_and_checksum_of_each_file(saved: Saved) -> None:
    saved.write(1)
    folder = saved.checkpoints.path(1)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert {*files, "manifest.json"} == {path.name for path in folder.iterdir()}
    assert all(files[name]["bytes"] == (folder / name).stat().st_size for name in files)
