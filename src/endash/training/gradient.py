"""The gradient of a network's loss, computed by several threads, each on its share of a batch.

The operations of a small model are too short to be cut between threads one by one. Cut once, by rows, a whole step runs side
by side: all of it, where torch's own threads share little but the larger products.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from endash.network import Batch
from endash.objectives.cross_entropy import Loss
from endash.parts.randomness import drawing_from
from endash.training.batches import Rows
from endash.training.machine import Machine

Gradients = tuple[Tensor | None, ...]


class Gradient:
    """What backpropagation adds to the parameters' `grad`; on a CPU, by as many threads as torch has."""

    def __init__(self, network: nn.Module, machine: Machine, *, label_smoothing: float) -> None:
        self.network, self.machine, self.label_smoothing = network, machine, label_smoothing
        self.trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.threads = torch.get_num_threads() if machine.device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self.threads, "share", initializer=torch.set_num_threads, initargs=(1,))

    def shares(self, rows: Rows) -> list[Rows]:
        """`rows` dealt out to the threads in turn, so that the shares of a batch sorted by length are alike; none is empty."""
        count = min(self.threads, len(rows))
        return [rows[start::count] for start in range(count)]

    def add(self, shares: list[Batch], *, targets: int) -> list[Loss]:
        """Add the gradient of each share, weighted by its part in a step of `targets` target tokens; gives their losses.

        Each share has random numbers of its own, which follow from torch's generator and not from which thread is first:
        the same shares give the same sums.
        """
        if len(shares) == 1:
            computed = [self._compute(shares[0], targets)]
        else:
            seeds = torch.randint(2**62, (len(shares),)).tolist()
            computed = list(self._pool.map(self._compute_alone, shares, [targets] * len(shares), seeds))
        for _, gradients in computed:
            self._accumulate(gradients)
        return [loss for loss, _ in computed]

    def _compute_alone(self, share: Batch, targets: int, seed: int) -> tuple[Loss, Gradients]:
        with drawing_from(torch.Generator().manual_seed(seed)):
            return self._compute(share, targets)

    def _compute(self, share: Batch, targets: int) -> tuple[Loss, Gradients]:
        with self.machine.autocast():
            loss: Loss = self.network.loss(share, label_smoothing=self.label_smoothing)  # type: ignore[operator]
        total = loss.total * (loss.tokens / targets)
        return loss, torch.autograd.grad(total, self.trained, allow_unused=True)

    def _accumulate(self, gradients: Gradients) -> None:
        for parameter, gradient in zip(self.trained, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = gradient
            elif gradient is not None:
                parameter.grad += gradient
