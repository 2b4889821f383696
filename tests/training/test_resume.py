"""A run that is stopped anywhere and gone on with ends in the same parameters, bit for bit, as one that never stopped."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from killing import kill
from tiny import CONFIG, finished, go, training
from torch import Tensor

from endash.training.interruption import Interrupted, Stop
from endash.training.journal import read


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    state, _ = finished(tmp_path_factory.mktemp("unbroken"))
    return state


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("place", "count"),
    [("step", 20), ("save", 1), ("save", 5), ("fsync", 22), ("fsync", 31), ("rename", 5), ("rename", 7), ("remove", 1)],
)
def test_killed_and_resumed_is_unbroken(place: str, count: int, tmp_path: Path, unbroken: dict[str, Tensor]) -> None:
    kill(place, count, tmp_path)
    state, _ = finished(tmp_path)
    assert same(state, unbroken)
    assert not [path for path in (tmp_path / "checkpoints").iterdir() if path.name.startswith(".")]


def test_killed_again_and_again(tmp_path: Path, unbroken: dict[str, Tensor]) -> None:
    for place, count in (("step", 15), ("save", 3), ("fsync", 12), ("step", 25)):
        kill(place, count, tmp_path)
    state, _ = finished(tmp_path)
    assert same(state, unbroken)
    steps = [row["step"] for row in read(tmp_path / "metrics.jsonl") if row["kind"] == "train"]
    assert steps == list(range(3, steps[-1] + 1, 3))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_in_mid_epoch_and_says_how_to_go_on(
    number: int, tmp_path: Path, unbroken: dict[str, Tensor]
) -> None:
    run, before = training(tmp_path), signal.getsignal(signal.SIGINT)
    loss, calls = run.network.loss, []

    def interrupted_loss(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 11:
            os.kill(os.getpid(), number)
        return loss(*args, **kwargs)

    run.network.loss = interrupted_loss
    with pytest.raises(Interrupted, match=r"stopped at step 6; kept in .*step-000006.*--resume"):
        go(run)
    assert signal.getsignal(signal.SIGINT) is before
    state, _ = finished(tmp_path)
    assert same(state, unbroken)


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    run = training(tmp_path)

    def interrupted_loss(*args: object, **kwargs: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    run.network.loss = interrupted_loss
    with pytest.raises(Interrupted, match="at once"):
        go(run)
    assert not run.checkpoints.steps()


def test_a_signal_while_validating_leaves_the_validation_for_later(tmp_path: Path, unbroken: dict[str, Tensor]) -> None:
    def interrupted(stop: Stop) -> None:
        stop.requested = True

    run = training(tmp_path, validate=interrupted)
    with pytest.raises(Interrupted):
        go(run)
    assert run.position.validations == []
    state, position = finished(tmp_path)
    assert same(state, unbroken)
    assert len(position.validations) == CONFIG.max_epochs


def test_resuming_a_finished_run_changes_nothing_and_a_later_end_goes_on(tmp_path: Path) -> None:
    state, position = finished(tmp_path)
    again, same_position = finished(tmp_path)
    assert same(state, again)
    assert same_position == position
    longer, further = finished(tmp_path, CONFIG.model_copy(update={"max_epochs": 4}))
    assert further.step > position.step
    unbroken_longer, _ = finished(tmp_path / "other", CONFIG.model_copy(update={"max_epochs": 4}))
    assert same(longer, unbroken_longer)


def test_other_thread_count_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(tmp_path)
    torch.set_num_threads(2)
    try:
        finished(tmp_path)
    finally:
        torch.set_num_threads(1)
    assert "warning: the checkpoint was computed with 1 threads, this process has 2" in capsys.readouterr().err


def test_lines_beyond_the_checkpoint_are_cut(tmp_path: Path) -> None:
    finished(tmp_path)
    rows = read(tmp_path / "metrics.jsonl")
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"kind": "train", "step": 999}) + "\n" + '{"kind": "tr')
    finished(tmp_path)
    assert read(tmp_path / "metrics.jsonl") == rows
