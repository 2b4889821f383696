from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TinyNetwork, examples
from torch import Tensor

from endash.network import Batch
from endash.training.examples import Examples
from endash.training.gradient import Gradient
from endash.training.machine import Machine


def gradients(
    data: Examples, threads: int, *, dropout: float = 0.0, precision: torch.dtype = torch.float32
) -> tuple[list[Tensor], float]:
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = TinyNetwork().train()
    network.dropout.probability = dropout
    gradient = Gradient(network, Machine(torch.device("cpu"), precision), label_smoothing=0.1)
    rows = gradient.shares(np.arange(len(data)))
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(data)))
    batches = [Batch(*(torch.from_numpy(field) for field in data.padded(share))) for share in rows]
    assert len(batches) == threads
    losses = gradient.add(batches, targets=int(data.lengths[:, 1].sum()))
    torch.set_num_threads(1)
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None], sum(
        loss.nll for loss in losses
    )


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_gradient_does_not_depend_on_how_many_threads_share_it(tmp_path: Path, precision: torch.dtype) -> None:
    data = examples(tmp_path / "data", count=13)
    alone, nll = gradients(data, 1, precision=precision)
    tolerance = 1e-5 if precision == torch.float32 else 3e-2
    for threads in (2, 3):
        shared, shared_nll = gradients(data, threads, precision=precision)
        assert shared_nll == pytest.approx(nll, rel=tolerance)
        for one, other in zip(alone, shared, strict=True):
            assert torch.linalg.norm(one - other) <= tolerance * torch.linalg.norm(one) + 1e-7


def test_random_numbers_do_not_depend_on_which_thread_is_first(tmp_path: Path) -> None:
    data = examples(tmp_path / "data", count=200)
    first, _ = gradients(data, 2, dropout=0.5)
    for _ in range(20):
        again, _ = gradients(data, 2, dropout=0.5)
        assert all(map(torch.equal, first, again))
