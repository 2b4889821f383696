"""What a user sees of a run, on stderr: a bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Show = Literal["auto", "bar", "plain", "quiet"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A run at one step: how far it is of its end (0 to 1), and its figures since the last log line."""

    step: int
    epoch: int
    fraction: float
    loss: float
    learning_rate: float
    tokens_per_second: float


class Progress:
    """Shows a run; `show` is "auto" for a bar where stderr is a terminal and plain lines where it is not."""

    def __init__(self, show: Show = "auto") -> None:
        self._show = ("bar" if sys.stderr.isatty() else "plain") if show == "auto" else show
        self._bar: Bar | None = None
        self._began: dict[str, tuple[float, float]] = {}

    def __enter__(self) -> Self:
        if self._show == "bar":
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bar = Progress(
                BarColumn(bar_width=10),
                TaskProgressColumn(),
                TextColumn("{task.description}"),
                console=Console(stderr=True, force_terminal=True),
                transient=True,
            )
            self._bar.start()
            self._bar.add_task("", total=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._bar:
            self._bar.console.print(text, highlight=False, markup=False)
        elif self._show == "plain":
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def warn(self, text: str) -> None:
        """A line that is shown even if nothing else is."""
        if self._show == "quiet":
            print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201
        else:
            self.say(f"warning: {text}")

    def step(self, standing: Standing, *, log: bool) -> None:
        """A step was made; `log` where a log line is due, which is when a plain line is shown."""
        self._begin("training", standing.fraction)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=standing.fraction, description=self._short(standing))
        elif log:
            self.say(self._line(standing))

    def count(self, what: str, done: int, total: int, *, log: bool) -> None:
        """So many of `total` things are done before there are steps; `log` where a plain line is due."""
        fraction = done / total
        self._begin(what, fraction)
        if self._bar or log:
            told = f"{done:,} of {total:,} {what}, {self._left(fraction, what)} left"
            if self._bar:
                self._bar.update(self._bar.task_ids[0], completed=fraction, description=told)
            else:
                self.say(told)

    def _begin(self, what: str, fraction: float) -> None:
        if what not in self._began:
            self._began[what] = time.monotonic(), fraction

    def _short(self, standing: Standing) -> str:
        """What fits beside the bar in 80 columns."""
        return (
            f"step {standing.step} loss {standing.loss:.3f} {standing.tokens_per_second:,.0f} tokens/s "
            f"rate {standing.learning_rate:.1e} {self._left(standing.fraction)} left"
        )

    def _line(self, standing: Standing) -> str:
        return (
            f"step {standing.step}, epoch {standing.epoch + 1}, loss {standing.loss:.3f}, "
            f"{standing.tokens_per_second:,.0f} tokens/s, learning rate {standing.learning_rate:.2e}, "
            f"{self._left(standing.fraction)} left"
        )

    def _left(self, fraction: float, what: str = "training") -> str:
        """The time that the rest takes at the pace since this process began with it."""
        began, first = self._began[what]
        if fraction <= first:
            return "?"
        seconds = round((time.monotonic() - began) / (fraction - first) * max(0.0, 1 - fraction))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
