from __future__ import annotations

import json
import math
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CONFIG, TinyNetwork, finished, go, training

from endash.errors import RecipeError, TrainingError
from endash.training.averaging import choose
from endash.training.config import TrainingConfig
from endash.training.interruption import Stop
from endash.training.journal import Journal, read
from endash.training.loop import adamw
from endash.training.position import Validation, best, is_unmoved, stale


def config(**changes: object) -> TrainingConfig:
    return CONFIG.model_copy(update=changes)


def test_it_learns(tmp_path: Path) -> None:
    _, position = finished(tmp_path, config(max_epochs=6, accumulate=1))
    losses = [validation.loss for validation in position.validations]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.1


def test_accumulated_batches_weigh_each_token_alike(tmp_path: Path) -> None:
    run = training(tmp_path, config(accumulate=1000, clip=1e9))
    rows = np.arange(len(run.examples))
    run.network.eval()
    whole = run.network.loss(run.work.batch(rows), label_smoothing=0.1)
    whole.total.backward()
    wanted = run.network.middle.weight.grad.clone()
    run.network.train = lambda: None  # no dropout
    run._batches = run._epoch()
    with Journal(run.folder, step=0, warn=print) as run._journal:
        run._step()
    assert run.position.epoch == 1
    # The order of the sums differs.
    assert torch.allclose(run.network.middle.weight.grad, wanted, atol=1e-6)


def test_steps_go_on_where_the_epoch_is(tmp_path: Path) -> None:
    run = training(tmp_path, config(max_epochs=None, max_steps=7))
    assert go(run) == "max_steps = 7"
    assert run.position.step == 7
    assert run.position.batch == 14
    first = next(run._epoch())
    run.position.batch = 0
    assert list(run._epoch())[14].tolist() == first.tolist()


def test_patience_ends_the_run(tmp_path: Path) -> None:
    losses = iter([3.0, 2.0, 2.5, 2.1, 1.0])
    kept = []
    run = training(
        tmp_path,
        config(patience=2, max_epochs=9),
        validate=lambda _: {"loss": next(losses)},
        keep_best=lambda: kept.append(run.position.epoch),
    )
    assert go(run) == "patience = 2"
    assert run.position.epoch == 4
    assert kept == [1, 2]


def test_a_share_of_the_rate_needs_something_that_was_trained_elsewhere() -> None:
    assert [group["scale"] for group in adamw(TinyNetwork(), CONFIG).param_groups] == [1.0, 1.0]
    with pytest.raises(
        RecipeError, match=r"training\.pretrained_rate = 0\.1 is for an encoder .* here is none: set encoder"
    ):
        adamw(TinyNetwork(), config(pretrained_rate=0.1))


def test_higher_bleu_is_better(tmp_path: Path) -> None:
    scores = iter([1.0, 3.0, 2.0])
    run = training(tmp_path, config(metric="bleu", average=1), validate=lambda _: {"loss": 1.0, "bleu": next(scores)})
    go(run)
    second = run.position.validations[1].step
    assert second in run.checkpoints.steps()
    chosen = choose(run.network, run.checkpoints, run.position, run.config, validate=lambda: None)
    assert chosen is not None
    assert chosen.steps == (second,)
    assert chosen.figures == {"loss": 1.0, "bleu": 3.0}


@pytest.mark.parametrize(
    ("metric", "order", "since"), [("wer", [1, 0, 2, 3], 2), ("nll", [1, 0, 2, 3], 2), ("accuracy", [2, 3, 0, 1], 1)]
)
def test_each_metric_knows_its_better_end(metric: str, order: list[int], since: int) -> None:
    """Of two alike in the loss, too, the earlier is the better."""
    values = enumerate((2.0, 1.0, 3.0, 3.0))
    validations = [Validation(step, step, {"loss": 1.0, metric: value}) for step, value in values]
    assert [one.step for one in best(validations, metric, 4)] == order
    assert stale(validations, metric) == since


def test_where_the_metric_tells_nothing_the_loss_does() -> None:
    validations = [
        Validation(step, step, {"loss": loss, "bleu": 0.0}) for step, loss in enumerate((3.0, 1.0, 2.0, 1.0))
    ]
    assert [one.step for one in best(validations, "bleu", 3)] == [1, 3, 2]
    assert stale(validations, "bleu") == 2
    assert is_unmoved(validations, "bleu")
    assert not is_unmoved(validations, "loss")
    assert not is_unmoved(validations[:1], "bleu"), "one alone chooses nothing"


def test_max_minutes_ends_the_run_with_a_validation(tmp_path: Path) -> None:
    run = training(tmp_path, config(max_minutes=1e-9))
    assert go(run) == "max_minutes = 1e-09"
    assert run.position.step == 1
    assert run.position.validated


def test_validate_every_counts_steps(tmp_path: Path) -> None:
    run = training(tmp_path, config(validate_every=5, max_epochs=None, max_steps=12))
    go(run)
    assert [validation.step for validation in run.position.validations] == [5, 10, 12]


def test_metrics_hold_what_was_shown(tmp_path: Path) -> None:
    _, position = finished(tmp_path)
    rows = read(tmp_path / "metrics.jsonl")
    trained = [row for row in rows if row["kind"] == "train"]
    assert {*trained[0]} == {
        "kind", "step", "epoch", "loss", "learning_rate", "gradient_norm", "tokens_per_second", "padding", "seconds"
    }  # fmt: skip
    valid = [row for row in rows if row["kind"] == "valid"]
    assert [row["loss"] for row in valid] == [validation.loss for validation in position.validations]
    assert valid[0]["perplexity"] == pytest.approx(math.exp(valid[0]["loss"]))
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_a_loss_that_is_not_finite_stops_the_run_with_its_batch(tmp_path: Path) -> None:
    run = training(tmp_path, config(accumulate=1))
    rows = next(run._epoch())
    run.network.poison = run.examples[int(rows[0])].source[0]
    before = {name: value.clone() for name, value in run.network.state_dict().items() if name != "seen"}
    with pytest.raises(
        TrainingError, match=r"step 1: the loss is nan at learning rate 0\.005.*not-finite-000001\.json"
    ):
        go(run)
    report = json.loads((tmp_path / "not-finite-000001.json").read_text())
    assert report["what"] == "loss"
    assert [example["source"] for example in report["examples"]] == [run.examples[int(row)].source for row in rows]
    assert all(torch.equal(before[name], run.network.state_dict()[name]) for name in before)


def test_a_gradient_that_is_not_finite_stops_the_run_before_the_step(tmp_path: Path) -> None:
    run = training(tmp_path)
    run.network.middle.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=r"step 1: the gradient norm is (nan|inf)"):
        go(run)
    assert torch.isfinite(run.network.middle.weight).all()


def test_vectors_are_not_decayed() -> None:
    network = TinyNetwork()
    decayed, free = adamw(network, TrainingConfig()).param_groups
    assert decayed["weight_decay"] == 0.01
    assert free["weight_decay"] == 0.0
    assert {id(one) for one in free["params"]} == {id(network.middle.bias)}
    assert {id(one) for one in decayed["params"]} == {id(network.middle.weight), id(network.embedding.weight)}


def test_the_mean_of_the_best_is_taken_if_the_valid_part_likes_it_better(tmp_path: Path) -> None:
    run = training(tmp_path)
    go(run)
    steps = tuple(sorted(one.step for one in sorted(run.position.validations, key=lambda one: one.loss)[:2]))
    mean = run.checkpoints.average(steps)
    better = choose(run.network, run.checkpoints, run.position, run.config, validate=lambda: {"loss": 0.0})
    assert better is not None
    assert (better.steps, better.figures) == (steps, {"loss": 0.0})
    assert torch.equal(run.network.middle.weight, mean["middle.weight"])
    worse = choose(run.network, run.checkpoints, run.position, run.config, validate=lambda: {"loss": 99.0})
    assert worse is not None
    assert len(worse.steps) == 1
    assert worse.figures["loss"] == min(one.loss for one in run.position.validations)


def test_choosing_is_given_up_when_stopped(tmp_path: Path) -> None:
    run = training(tmp_path)
    go(run)
    assert choose(run.network, run.checkpoints, run.position, run.config, validate=lambda: None) is None


def test_outside_the_main_thread_no_signal_is_taken() -> None:
    before, within = signal.getsignal(signal.SIGTERM), []

    def stop() -> None:
        with Stop():
            within.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join()
    assert within == [before]
