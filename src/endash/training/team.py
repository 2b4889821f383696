"""Steps made by several processes of one machine, each with some of the rows of every batch (data parallelism).

On a CPU two processes of one thread each are faster than one process of two threads: no operation is too small to be
divided, and none waits for the other half of it. The processes are forks of the one that leads, and share its memory: the
parameters, which all of them read, and the gradients, of which each sums and applies one share (`Shares`). A step is that of
one process but for the order of sums and the dropout that is drawn (and, of a variational model, the free bits, which are
those of each process's rows).

The leader draws from torch's generator, which checkpoints keep; the others begin anew at each step, from the run's seed, the
step and their number: so there is nothing of theirs to save, and a run that goes on is one that never stopped.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import signal
import warnings
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np
import torch

from endash.errors import TrainingError
from endash.training.gradient import Measured, Step, Work
from endash.training.shares import Shares

_LONG = 10.0  # seconds that a process which was told to end may take


class Team:
    """This process and those that it forks when the context is entered; see `Stepper` for the calls."""

    def __init__(self, work: Work, optimizer: torch.optim.AdamW, *, workers: int, seed: int) -> None:
        self.work, self.seed = work, seed
        self.count, self.threads = workers, torch.get_num_threads()
        self._optimizer = optimizer
        self._lines: list[Connection] = []
        self._others: list[BaseProcess] = []

    def __enter__(self) -> Self:
        self._shares = Shares(self._optimizer, self.count)
        gc.freeze()  # what stands before the first step: to go through it again and again took 2 % of the time
        forks = multiprocessing.get_context("fork")
        for rank in range(1, self.count):
            own, theirs = forks.Pipe()
            other = forks.Process(target=self._follow, args=(rank, theirs, [*self._lines, own]), daemon=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads: those of torch rest, and none is used
                other.start()
            theirs.close()
            self._lines.append(own)
            self._others.append(other)
        self._member = _Member(self.work, self._shares, 0, seed=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the others: each reads that its line is closed."""
        torch.set_num_threads(self.threads)
        gc.unfreeze()
        for line in self._lines:
            line.close()
        for other in self._others:
            other.join(0 if kind else _LONG)
            if other.is_alive():
                other.kill()
                other.join()
        self._shares.end()
        self._lines.clear()
        self._others.clear()

    def others(self) -> list[int]:
        """The processes that run beside this one."""
        return [other.pid for other in self._others if other.pid is not None]

    def gradient(self, step: Step) -> list[Measured]:
        """See `Stepper`."""
        torch.set_num_threads(max(1, self.threads // self.count))
        shares = self._all("gradient", [_share(step, rank, self.count) for rank in range(self.count)])
        return [Measured.of_shares(batch) for batch in zip(*shares, strict=False)]

    def norm(self) -> float:
        """See `Stepper`."""
        norm = math.sqrt(sum(self._all("reduce", [None] * self.count)))
        self._scale = min(1.0, self.work.config.clip / (norm + 1e-6))
        return norm

    def update(self, rate: float) -> None:
        """See `Stepper`."""
        self._all("update", [(rate, self._scale)] * self.count)
        self._shares.count_step()
        torch.set_num_threads(self.threads)

    def _all(self, what: str, arguments: Sequence[Any]) -> list[Any]:
        """What each process answers; TrainingError if one has ended, and what it raised if it failed."""
        try:
            for line, argument in zip(self._lines, arguments[1:], strict=True):
                line.send((what, argument))
            answers = [getattr(self._member, what)(arguments[0])]
            for line in self._lines:
                failed, answer = line.recv()
                if failed:
                    raise answer
                answers.append(answer)
        except (EOFError, ConnectionError):
            self._lost()
        return answers

    def _lost(self) -> NoReturn:
        for other in self._others:
            other.join(_LONG)
        code = next((other.exitcode for other in self._others if other.exitcode is not None), None)
        how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
        raise TrainingError(
            f"one of the {self.count} processes that train {how}, as when memory runs out. The last checkpoint is whole: "
            "go on with --resume; OMP_NUM_THREADS=1 trains in one process, which takes less memory"
        )

    def _follow(self, rank: int, line: Connection, leaders: list[Connection]) -> None:
        """Do what the leader asks until its end of the line is closed: what the other processes run."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # they reach all processes of a terminal, and the leader sees to them
        for end in leaders:
            end.close()
        torch.set_num_threads(max(1, self.threads // self.count))
        member = _Member(self.work, self._shares, rank, seed=self.seed)
        try:
            while True:
                what, argument = line.recv()
                try:
                    answer = False, getattr(member, what)(argument)
                except Exception as error:
                    answer = True, _portable(error)
                line.send(answer)
        except (EOFError, OSError):  # the leader has ended, in whatever way
            os._exit(0)


class _Member:
    """One process's part of each step; with a `seed` it draws from a generator of its own."""

    def __init__(self, work: Work, shares: Shares, rank: int, *, seed: int | None) -> None:
        self._work, self._shares, self._rank, self._seed = work, shares, rank, seed
        self._optimizer = shares.begin(rank)

    def gradient(self, step: Step) -> list[Measured]:
        if self._seed is not None:
            own = np.random.SeedSequence([self._seed, step.step, self._rank]).generate_state(1, np.uint64)
            torch.manual_seed(int(own[0]))
        self._shares.gradients[self._rank].zero_()
        return self._work.gradient(step)

    def reduce(self, _: None) -> float:
        return self._shares.reduce(self._rank)

    def update(self, how: tuple[float, float]) -> None:
        rate, clipping = how
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
            for parameter in group["params"]:
                if clipping < 1:
                    parameter.grad.mul_(clipping)
        self._optimizer.step()
        self._shares.renew(self._rank)


def _share(step: Step, rank: int, count: int) -> Step:
    """What one process does of a step; neighbours are of like lengths, and go to different processes."""
    return replace(step, batches=tuple(rows[rank::count] for rows in step.batches))


def _portable(error: Exception) -> Exception:
    """An error that can be sent, with where it came from."""
    import traceback

    told = "".join(traceback.format_exception(error))
    return error if isinstance(error, ValueError) else RuntimeError(f"a process that trains failed:\n{told}")
