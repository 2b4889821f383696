"""Training with a latent vector: what is logged, what the valid part draws, and a run that is stopped and gone on with."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import CONFIG, VOCABULARY, examples, go, training

from endash.decoders.recurrent import GRUDecoderConfig
from endash.decoding.config import DecodingConfig
from endash.encoders.recurrent import GRUEncoderConfig
from endash.encoders.variational import VariationalConfig
from endash.heads import HeadConfig
from endash.links.latent import LatentConfig
from endash.network import Network
from endash.tasks import TranslationTask
from endash.training.interruption import Interrupted, Stop
from endash.training.journal import read
from endash.training.loop import Training
from endash.training.machine import Machine
from endash.training.validation import Validator

TASK = TranslationTask(TranslationTask.Config())


def network() -> Network:
    torch.manual_seed(2)
    return Network(
        VariationalConfig(
            width=4,
            encoder=GRUEncoderConfig(width=8, layers=1, dropout=0.1),
            annealing_cycles=2,
            free_bits=0.05,
            word_dropout=0.2,
        ),
        LatentConfig(),
        GRUDecoderConfig(width=8, layers=1, dropout=0.1),
        head=HeadConfig(),
        source_size=VOCABULARY,
        target_size=VOCABULARY,
    )


def validator(folder: Path, model: Network) -> Validator:
    valid = examples(folder / "valid-too", count=20, seed=1)
    valid.about["records"] = [{"row": 0, "source": "a", "target": "b"}]
    machine = Machine(torch.device("cpu"), torch.float32)
    return Validator(
        SimpleNamespace(network=model, recipe=SimpleNamespace(decoding=DecodingConfig(), corpus=None), task=TASK),
        valid,
        CONFIG,
        machine,
    )  # type: ignore[arg-type]


def run(folder: Path) -> Training:
    folder.mkdir(exist_ok=True)
    fresh = network()
    return training(folder, network=fresh, validate=validator(folder, fresh))


def test_the_kl_of_a_sentence_is_told_of_both_parts(tmp_path: Path) -> None:
    trained = run(tmp_path)
    go(trained)
    rows = read(tmp_path / "metrics.jsonl")
    for kind in ("train", "valid"):
        told = [row["kl"] for row in rows if row["kind"] == kind]
        assert told
        assert all(0 < kl < 50 for kl in told)
    assert [one.figures["kl"] for one in trained.position.validations] == [
        row["kl"] for row in rows if row["kind"] == "valid"
    ]


def test_validation_draws_the_same_each_time_and_leaves_the_generator_as_it_was(tmp_path: Path) -> None:
    validate = validator(tmp_path, network())
    figures = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        figures.append(validate(Stop()))
        assert torch.equal(torch.get_rng_state(), before)
    assert figures[0] == figures[1]
    assert figures[0] is not None
    assert set(figures[0]) == {"loss", "kl"}


def test_the_valid_figures_are_those_of_its_batches_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate = validator(tmp_path, network())
    losses: list[Any] = []
    loss = validate.model.network.loss

    def watched(*args: Any, **settings: Any) -> Any:
        losses.append(loss(*args, **settings))
        return losses[-1]

    monkeypatch.setattr(validate.model.network, "loss", watched)
    figures = validate(Stop())
    assert figures is not None
    assert len(losses) > 1
    tokens = sum(one.tokens for one in losses)
    assert figures["loss"] == pytest.approx(sum(one.nll for one in losses) / tokens)
    assert figures["kl"] == pytest.approx(sum(one.parts["kl"] for one in losses) / 20)


def test_a_run_is_told_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, told = run(tmp_path), []
    loss = trained.network.loss

    def watched(batch: Any, *, label_smoothing: float, progress: float = 1.0) -> Any:
        told.append((trained.network.training, progress))
        return loss(batch, label_smoothing=label_smoothing, progress=progress)

    monkeypatch.setattr(trained.network, "loss", watched)
    go(trained)
    steps = [progress for training_now, progress in told if training_now]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert 0.9 < steps[-1] < 1
    assert {progress for training_now, progress in told if not training_now} == {1.0}


def test_stopped_and_gone_on_with_it_is_unbroken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unbroken = run(tmp_path / "unbroken")
    go(unbroken)
    stopped, calls = run(tmp_path / "stopped"), []
    loss = stopped.network.loss

    def interrupted(*args: Any, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) == 11:
            os.kill(os.getpid(), signal.SIGINT)
        return loss(*args, **settings)

    monkeypatch.setattr(stopped.network, "loss", interrupted)
    with pytest.raises(Interrupted):
        go(stopped)
    again = run(tmp_path / "stopped")
    go(again)
    ours, theirs = again.network.state_dict(), unbroken.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert again.position.validations == unbroken.position.validations
