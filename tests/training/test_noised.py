"""Examples that noise makes anew in each epoch: the same in every process and after every stop, and counted as they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import CONFIG, VOCABULARY, TinyNetwork, examples, go, training

from endash.objectives.noise import Noise, Symbols, noises
from endash.text.tokenizer import EOS
from endash.training.batches import size_of
from endash.training.gradient import Measured
from endash.training.journal import read
from endash.training.noised import Noised


def symbols() -> Symbols:
    plain = np.zeros(VOCABULARY, dtype=bool)
    return Symbols(np.arange(5, 9)[::-1], 1, plain.astype(np.int8), plain, plain)


def noise() -> Noise:
    parts = [{"kind": "infilling", "rate": 0.5}, {"kind": "masked", "rate": 0.5}]
    return noises.build(
        noises.config("mixture").model_validate_json(f'{{"noises": {parts}}}'.replace("'", '"')), symbols()
    )


def noised(folder: Path, *, seed: int = 7) -> Noised:
    return Noised(examples(folder), noise(), seed=seed)


def plain(found: Any) -> list[tuple[list[int], list[int]]]:
    return [(one.source, one.target) for one in found]


def test_an_epoch_is_the_same_whenever_it_is_asked_for(tmp_path: Path) -> None:
    first = noised(tmp_path)
    assert plain(first) == plain(noised(tmp_path).of_epoch(0)) == plain(first.of_epoch(3).of_epoch(0))
    assert plain(first.of_epoch(1)) == plain(noised(tmp_path).of_epoch(1))
    others = plain(first.of_epoch(1)), plain(noised(tmp_path, seed=8))
    for other in others:
        different = sum(one != two for one, two in zip(plain(first), other, strict=True))
        assert different > 45, "most of the 90 rows get other noise; the shortest may get the same"


def test_targets_are_those_of_the_stored_sources(tmp_path: Path) -> None:
    stored, made = examples(tmp_path), noised(tmp_path)
    for text, one in zip(stored, made, strict=True):
        assert one.source[-1] == one.target[-1] == EOS
        assert one.target == text.source or len(one.target) - 1 == one.source.count(1)
        assert len(one.source) <= len(text.source)


def test_lengths_and_padding_are_those_of_what_was_drawn(tmp_path: Path) -> None:
    made = noised(tmp_path).of_epoch(2)
    assert made.lengths.tolist() == [[len(one.source), len(one.target)] for one in made]
    rows = np.array([5, 80, 33])
    source, target = made.padded(rows)
    assert source.dtype == target.dtype == np.int64
    assert size_of(made.lengths[rows]).padded == source.size + target.size
    for place, row in enumerate(rows):
        for side, padded in zip(plain([made[int(row)]])[0], (source, target), strict=True):
            assert padded[place].tolist() == side + [0] * (padded.shape[1] - len(side))
    assert made.places(rows) is None


class Watching(TinyNetwork):
    """Writes down each batch that it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[list[list[int]], list[list[int]]]] = []

    def loss(self, batch: Any, **how: Any) -> Any:
        if self.training:
            self.batches.append((batch.source.tolist(), batch.target.tolist()))
        return super().loss(batch, **how)


def run_of(folder: Path, **changes: Any) -> Any:
    torch.manual_seed(5)
    run = training(folder, CONFIG.model_copy(update=changes), network=Watching())
    run.examples = run.work.examples = Noised(run.examples, noise(), seed=7)
    return run


def test_each_step_counts_the_targets_that_it_is_trained_on(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    take, counted = run._stepper.gradient, []

    def counting(step: Any) -> list[Measured]:
        losses = take(step)
        counted.append((step.targets, sum(loss.tokens for loss in losses)))
        return losses

    run._stepper.gradient = counting
    go(run)
    assert len(counted) > 10
    assert all(told == found for told, found in counted)
    speeds = [row["padding"] for row in read(tmp_path / "metrics.jsonl") if row["kind"] == "train"]
    assert all(0 <= padding < 0.6 for padding in speeds)


def test_epochs_have_other_noise_and_a_run_that_goes_on_has_the_same(tmp_path: Path) -> None:
    whole = run_of(tmp_path / "whole")
    go(whole)
    third = len(whole.network.batches) // 3
    texts = [
        {str(row) for sources, _ in part for row in sources}
        for part in (whole.network.batches[:third], whole.network.batches[-third:])
    ]
    assert len(texts[0] & texts[1]) < len(texts[0]) / 2

    stopped = run_of(tmp_path / "parts", max_epochs=None, max_steps=7)
    go(stopped)
    gone_on = run_of(tmp_path / "parts")
    go(gone_on)
    assert stopped.network.batches + gone_on.network.batches == whole.network.batches
    for name, value in whole.network.state_dict().items():
        if name != "seen":
            assert torch.equal(gone_on.network.state_dict()[name], value)


@pytest.mark.skipif(sys.platform != "linux", reason="processes that share memory are forked on Linux only")
def test_several_processes_draw_what_one_does(tmp_path: Path) -> None:
    losses = []
    for workers in (1, 2):
        torch.manual_seed(5)
        network = TinyNetwork()
        network.dropout = torch.nn.Identity()  # type: ignore[assignment]  (each process would draw its own)
        run = training(tmp_path / str(workers), network=network, workers=workers)
        run.examples = run.work.examples = Noised(run.examples, noise(), seed=7)
        go(run)
        losses.append([row["loss"] for row in read(run.folder / "metrics.jsonl") if row["kind"] == "train"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)  # the order of the sums differs
