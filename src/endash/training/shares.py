"""Parameters, gradients and moments in memory that forked processes share, each of which has a share to update.

All numbers of all parameters stand in one row, P of them, cut in as many equal shares as there are processes: an optimiser
whose state is sharded (Rajbhandari et al. 2020, ZeRO stage 1), except that here nobody has to send the parameters round.
"""

from __future__ import annotations

import mmap
from typing import Any

import torch
from torch import Tensor, nn

from endash.parts.fused import keep_copy

_ALIGN = 64  # numbers; each parameter and each share begins on a cache line


def shared(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Zeros that every process forked from this one sees, and writes."""
    count = torch.Size(shape).numel()
    return torch.frombuffer(mmap.mmap(-1, max(dtype.itemsize * count, 1)), dtype=dtype, count=count).view(shape)


class Shares:
    """Moves what `optimizer` trains into shared memory, for `count` processes: its parameters, and its moments as they are.

    Beside them stands a copy of the parameters in bfloat16 for products (`parts.fused`), which `renew` makes again.
    """

    def __init__(self, optimizer: torch.optim.AdamW, count: int) -> None:
        self.count, self._optimizer = count, optimizer
        trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.starts = dict(zip(trained, _starts(trained), strict=True))
        size = _up(max((start + one.numel() for one, start in self.starts.items()), default=0), count * _ALIGN)
        self.bounds = [(size // count * rank, size // count * (rank + 1)) for rank in range(count)]
        self.gradients = shared(count, size)
        self._parameters, self._copies = shared(size), shared(size, dtype=torch.bfloat16)
        moments = {slot: shared(size) for slot in ("exp_avg", "exp_avg_sq")}
        for parameter in trained:
            parameter.data = self._move(parameter, parameter.data, self._parameters)
            keep_copy(parameter, self._move(parameter, parameter.data, self._copies))
            state = optimizer.state[parameter]
            state.setdefault("step", torch.zeros(()))
            for slot, whole in moments.items():
                state[slot] = self._move(parameter, state.get(slot), whole)

    def begin(self, rank: int) -> torch.optim.AdamW:
        """Have this process, number `rank`, add up its own gradients from now on; the optimiser of its share.

        Its moments are those of the whole optimiser; the steps it counts for itself.
        """
        first, end = self.bounds[rank]
        groups: list[dict[str, Any]] = []
        states: dict[Tensor, dict[str, Tensor]] = {}
        for group in self._optimizer.param_groups:
            cuts: list[nn.Parameter] = []
            for parameter in group["params"]:
                start, stop = self.starts[parameter], self.starts[parameter] + parameter.numel()
                parameter.grad = self.gradients[rank, start:stop].view(parameter.shape)
                cut = slice(max(first, start) - start, min(end, stop) - start)
                if cut.start >= cut.stop:
                    continue
                cuts.append(nn.Parameter(parameter.data.view(-1)[cut]))
                cuts[-1].grad = parameter.grad.view(-1)[cut]
                state = self._optimizer.state[parameter]
                states[cuts[-1]] = {
                    "step": state["step"].clone(),
                    **{slot: state[slot].view(-1)[cut] for slot in ("exp_avg", "exp_avg_sq")},
                }
            groups.append({**group, "params": cuts})
        made = torch.optim.AdamW([group for group in groups if group["params"]])
        made.state.update(states)
        return made

    def reduce(self, rank: int) -> float:
        """Sum the gradients of all processes over the share of `rank`; the square of the sum's norm."""
        first, end = self.bounds[rank]
        own = self.gradients[rank, first:end]
        for other in range(self.count):
            if other != rank:
                own += self.gradients[other, first:end]
        return float(torch.linalg.vector_norm(own)) ** 2

    def renew(self, rank: int) -> None:
        """Copy the share of `rank`, which has changed."""
        share = slice(*self.bounds[rank])
        self._copies[share].copy_(self._parameters[share])

    def end(self) -> None:
        """Leave the parameters to other optimisers: nobody renews the copies any longer, or reads these gradients."""
        for parameter in self.starts:
            parameter.grad = None
            keep_copy(parameter, None)

    def count_step(self) -> None:
        """One more step in the state of the whole optimiser, as each share counts its own."""
        torch._foreach_add_([self._optimizer.state[parameter]["step"] for parameter in self.starts], 1)

    def _move(self, parameter: Tensor, values: Tensor | None, whole: Tensor) -> Tensor:
        """`whole` where `parameter` stands in it, with these values in it."""
        start = self.starts[parameter]
        place = whole[start : start + parameter.numel()].view(parameter.shape)
        if values is not None:
            place.copy_(values)
        return place


def _starts(parameters: list[Tensor]) -> list[int]:
    starts, end = [], 0
    for parameter in parameters:
        starts.append(end)
        end = _up(end + parameter.numel(), _ALIGN)
    return starts


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
