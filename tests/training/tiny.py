"""A tiny network and a tiny run of it, for the tests of training and for the processes they kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from endash.example import Example
from endash.network import Batch
from endash.objectives.cross_entropy import Loss, cross_entropy
from endash.training.config import TrainingConfig
from endash.training.examples import Examples
from endash.training.interruption import Stop
from endash.training.journal import Journal
from endash.training.loop import Surroundings, Training
from endash.training.machine import Machine
from endash.training.position import Position
from endash.training.progress import Progress

VOCABULARY = 23
CONFIG = TrainingConfig(
    max_epochs=3, batch_tokens=60, warmup=4, learning_rate=0.02, metric="loss", log_every=3, average=2, accumulate=2
)


class TinyNetwork(nn.Module):
    """The mean of the source's embeddings, through dropout, tells every target token; input and output are tied."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.middle = nn.Linear(8, 8)
        self.output = nn.Linear(8, VOCABULARY, bias=False)
        self.output.weight = self.embedding.weight
        self.register_buffer("seen", torch.zeros(1))
        self.dropout = nn.Dropout(0.3)
        self.poison = -1

    def forward(self, batch: Batch) -> Tensor:
        real = (batch.source != 0)[:, :, None]
        summary = self.dropout((self.embedding(batch.source) * real).sum(1, keepdim=True) / real.sum(1, keepdim=True))
        before = torch.cat([torch.full_like(batch.target[:, :1], 2), batch.target[:, :-1]], 1)
        return self.output(torch.tanh(self.middle(summary + self.embedding(before))))

    def loss(self, batch: Batch, *, label_smoothing: float, progress: float = 1.0) -> Loss:
        where = batch.target != 0
        if self.training:
            self.seen += len(batch.source)
        loss = cross_entropy(self(batch)[where], batch.target[where], label_smoothing=label_smoothing)
        if self.poison in batch.source:
            return Loss(loss.total * float("nan"), loss.tokens, loss.nll)
        return loss


def examples(folder: Path, *, count: int = 90, seed: int = 0, passages: int = 0) -> Examples:
    random = np.random.default_rng(seed)

    def text(least: int) -> list[int]:
        return [*random.integers(5, VOCABULARY, random.integers(least, 9)).tolist(), 3]

    drawn = [Example(text(1), text(1), tuple(text(0) for _ in range(passages))) for _ in range(count)]
    return Examples.write(folder, drawn, passages=passages, vocabulary=VOCABULARY, fingerprint="tiny")


def training(folder: Path, config: TrainingConfig = CONFIG, **changes: Any) -> Training:
    """A run of the tiny network, as an unbroken process would begin it."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    network = changes.pop("network", None) or TinyNetwork()
    valid = examples(folder / "valid", count=20, seed=1)

    def validate(stop: Stop) -> dict[str, float]:
        network.eval()
        batch = Batch(*(torch.from_numpy(field) for field in valid.padded(np.arange(len(valid)))))
        with torch.inference_mode():
            loss = network.loss(batch, label_smoothing=0.0)
        return {"loss": float(loss.nll) / loss.tokens}

    validating: Callable[[Stop], Any] = changes.pop("validate", validate)
    return Training(
        network,
        examples(folder / "train"),
        config,
        seed=7,
        folder=folder,
        machine=Machine(torch.device("cpu"), torch.float32, workers=changes.pop("workers", 1)),
        surroundings=Surroundings(
            validating, changes.pop("keep_best", lambda: None), lambda one: {"source": one.source, "target": one.target}
        ),
        progress=Progress("quiet"),
    )


def go(run: Training) -> str:
    """Restore and run to the end; gives what ended it."""
    run.restore()
    with Stop() as stop, Journal(run.folder, step=run.position.step, warn=print) as journal:
        return run.run(stop, journal)


def finished(folder: Path, config: TrainingConfig = CONFIG, *, workers: int = 1) -> tuple[dict[str, Tensor], Position]:
    """Run to the end; the parameters there, the optimiser's moments, and the position."""
    run = training(folder, config, workers=workers)
    go(run)
    state = {name: value.clone() for name, value in run.network.state_dict().items()}
    for name, parameter in run.network.named_parameters():
        state |= {f"{name}/{slot}": value.clone() for slot, value in run.optimizer.state[parameter].items()}
    return state, run.position
