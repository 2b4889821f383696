"""A step that several processes share is the step of one, and all of them end together, however one of them ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killing import kill
from tiny import CONFIG, TinyNetwork, finished, go, training
from torch import Tensor

from endash.errors import TrainingError
from endash.parts.contracts import Encoder
from endash.training.gradient import Alone, Measured, Step, Stepper
from endash.training.interruption import Interrupted
from endash.training.team import Team

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes that share memory are forked on Linux only")


def still() -> TinyNetwork:
    """The tiny network without dropout, which each process draws for itself."""
    torch.manual_seed(3)
    network = TinyNetwork()
    network.dropout = torch.nn.Identity()  # type: ignore[assignment]
    return network


def steps(stepper: Stepper, run: Any) -> list[tuple[Measured, float]]:
    rows, found = np.arange(len(run.examples)), []
    targets = int(run.examples.lengths[:, 1].sum())
    with stepper:
        for step in range(1, 5):
            losses = stepper.gradient(Step(step, (rows[:37], rows[37:38], rows[38:]), targets, 0.0))
            found.append((losses[0], stepper.norm()))
            stepper.update(0.01)
    return found


@pytest.mark.parametrize("workers", [2, 3])
def test_the_steps_are_those_of_one_process(workers: int, tmp_path: Path) -> None:
    one, several = training(tmp_path / "one", network=still()), training(tmp_path / "several", network=still())
    wanted = steps(Alone(one.work, one.optimizer), one)
    found = steps(Team(several.work, several.optimizer, workers=workers, seed=1), several)
    for (loss, norm), (own, own_norm) in zip(wanted, found, strict=True):
        assert own.tokens == loss.tokens
        # The order of the sums differs.
        assert own.total == pytest.approx(loss.total, rel=1e-5)
        assert own.nll == pytest.approx(loss.nll, rel=1e-5)
        assert own_norm == pytest.approx(norm, rel=1e-4)
    for name, value in one.network.named_parameters():
        assert torch.allclose(several.network.get_parameter(name), value, atol=1e-5)
        for slot, moment in one.optimizer.state[value].items():
            assert torch.allclose(several.optimizer.state[several.network.get_parameter(name)][slot], moment, atol=1e-5)


class Elsewhere(Encoder):
    """A part that brings its parameters from another training, as the tiny network's middle."""

    trained_elsewhere = True

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 8)

    def forward(self, vectors: Tensor, mask: Tensor | None = None) -> Any:
        return self.layer(vectors)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("share", [1.0, 0.1])
def test_what_was_trained_elsewhere_learns_at_its_share_of_the_rate(share: float, workers: int, tmp_path: Path) -> None:
    network = still()
    network.middle = Elsewhere()  # type: ignore[assignment]
    torch.nn.init.ones_(network.get_parameter("middle.layer.bias"))  # so that decay would be seen
    run = training(tmp_path, CONFIG.model_copy(update={"pretrained_rate": share, "weight_decay": 0.0}), network=network)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    stepper = Alone(run.work, run.optimizer) if workers == 1 else Team(run.work, run.optimizer, workers=2, seed=1)
    rows = np.arange(len(run.examples))
    with stepper:
        stepper.gradient(Step(1, (rows,), int(run.examples.lengths[:, 1].sum()), 0.0))
        stepper.norm()
        stepper.update(0.01)
    # The first step of Adam changes a number by the rate itself, but where its gradient is next to nothing.
    changed = {name: (value.detach() - before[name]).abs().max().item() for name, value in network.named_parameters()}
    assert changed == {
        "embedding.weight": pytest.approx(0.01, rel=1e-3),
        "middle.layer.weight": pytest.approx(0.01 * share, rel=1e-3),
        "middle.layer.bias": pytest.approx(0.01 * share, rel=1e-3),
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_killed_and_resumed_is_unbroken_and_a_seed_gives_one_result(tmp_path: Path) -> None:
    unbroken, _ = finished(tmp_path / "unbroken", workers=2)
    kill("step", 20, tmp_path / "killed", workers=2)
    resumed, _ = finished(tmp_path / "killed", workers=2)
    assert same(unbroken, resumed)


def test_a_signal_to_all_processes_saves_and_ends_all(tmp_path: Path) -> None:
    run = training(tmp_path, workers=2)
    step = run._step

    def interrupted() -> None:
        step()
        if run.position.step == 3:
            for process in (os.getpid(), *(other.pid for other in run._stepper._others)):
                os.kill(process, signal.SIGINT)

    run._step = interrupted
    with pytest.raises(Interrupted, match="stopped at step 3"):
        go(run)
    assert not run._stepper._others


@pytest.mark.parametrize("where", ["source", "loss"])
def test_what_one_process_raises_all_end_with(where: str, tmp_path: Path) -> None:
    run = training(tmp_path, workers=2)
    leader, loss = os.getpid(), run.network.loss

    def failing(*args: Any, **kwargs: Any) -> Any:
        if os.getpid() != leader and run.position.step == 0:
            raise TrainingError("no such thing") if where == "source" else KeyError("no such key")
        return loss(*args, **kwargs)

    run.network.loss = failing
    error, match = (TrainingError, "no such thing") if where == "source" else (RuntimeError, "(?s)failed:.*no such key")
    with pytest.raises(error, match=match):
        go(run)
    assert not run._stepper._others


def test_a_process_that_dies_ends_the_run_with_what_to_do(tmp_path: Path) -> None:
    run = training(tmp_path, workers=2)
    step = run._step

    def deadly() -> None:
        os.kill(run._stepper._others[0].pid, signal.SIGKILL)
        step()

    run._step = deadly
    with pytest.raises(TrainingError, match=r"one of the 2 processes that train was ended by SIGKILL.*--resume"):
        go(run)


def test_a_loss_that_is_not_finite_in_another_process_is_reported(tmp_path: Path) -> None:
    run = training(tmp_path, workers=2)
    leader, loss = os.getpid(), run.network.loss

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        if os.getpid() != leader:
            run.network.poison = int(args[0].source[0, 0])
        return loss(*args, **kwargs)

    run.network.loss = poisoned
    with pytest.raises(TrainingError, match="step 1: the loss is nan"):
        go(run)
    assert (tmp_path / "not-finite-000001.json").exists()
