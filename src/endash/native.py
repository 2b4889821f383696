"""The native core: sources in tokens to what search finds, for many callers at once.

Threads in C++ decode, each its own sentences; they take new ones as others finish, and what one source gets depends on no
other. Here is what Python sees of them: `Core.find` waits for all, `Core.submit` gives a `Ticket` to wait for, to read from
while it is written, and to cancel.

``ENDASH_NATIVE=off`` leaves all to PyTorch; ``ENDASH_NATIVE=avx2``, ``avx512`` or ``plain`` picks an instruction set.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import weakref
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from endash.decoding.config import DecodingConfig, Precision
from endash.decoding.hypothesis import Found
from endash.errors import ModelError, RecipeError

if TYPE_CHECKING:
    from endash import _native
    from endash.shortlist import Shortlist

Floats = NDArray[np.float32]
_NAMES = {"avx512": "AVX-512 VNNI", "avx2": "AVX2", "plain": "plain C++"}
_SMALL = 24 << 20  # bytes of parameters that are read at every step and stay in a cache
# beams that a thread brings forward together: few stay in its cache, many read large parameters once
_FEW, _MANY = 12, 64
ROOM = 10_000  # requests that wait for a thread


class CancelledError(ModelError):
    """A request was cancelled before it was done."""


def instruction_set() -> str | None:
    """The one that the core would use here; None where PyTorch is the way to go, and `why_absent` says why."""
    return None if why_absent() else _chosen()


def why_absent() -> str | None:
    """Why the core cannot be used on this machine; None where it can. Raises RecipeError for a wrong ENDASH_NATIVE."""
    asked = os.environ.get("ENDASH_NATIVE", "")
    if asked == "off":
        return "ENDASH_NATIVE=off"
    try:
        from endash import _native
    except ImportError:
        return "it was not built: where a C++ compiler is, install endash again"
    if asked and asked not in _NAMES:
        raise RecipeError(f"ENDASH_NATIVE={asked!r}: use off, {', '.join(_NAMES)}, or leave it unset")
    if asked and _NAMES[asked] not in _native.instruction_sets():
        raise RecipeError(f"ENDASH_NATIVE={asked!r}: this machine has {', '.join(_native.instruction_sets())}")
    if not asked and _chosen() == _NAMES["plain"]:
        return "this machine has neither AVX2 nor AVX-512, and without them PyTorch is faster"
    return None


def default_threads() -> int:
    """A thread for each CPU that the process may use, or as many as ``OMP_NUM_THREADS`` says."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chosen() -> str:
    from endash import _native

    asked = os.environ.get("ENDASH_NATIVE", "")
    return _NAMES[asked] if asked else _native.instruction_sets()[0]


class Ticket:
    """One request under way."""

    def __init__(self, core: Core, *, stream: bool) -> None:
        self._core = core
        self._tokens: queue.SimpleQueue[list[int] | None] | None = queue.SimpleQueue() if stream else None
        self._under_way = threading.Lock()  # held until it is done: much less to make than an Event
        self._under_way.acquire()
        self._found: list[Found] = []
        self._error: ModelError | None = None
        self.id = 0

    def result(self, timeout: float | None = None) -> list[Found]:
        """What was found, best first. Raises CancelledError, ModelError, or TimeoutError after so many seconds."""
        if not self._under_way.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError(f"nothing was found within {timeout} s")
        self._under_way.release()
        if self._error is not None:
            raise self._error
        return self._found

    def tokens(self) -> Iterator[int]:
        """The best hypothesis's tokens, each as soon as no live beam could change it any more."""
        written = 0
        if self._tokens is not None:
            while (more := self._tokens.get()) is not None:
                written += len(more)
                yield from more
            self._tokens.put(None)  # whoever asks again gets all at once
        yield from self.result()[0].tokens[written:]

    def cancel(self) -> None:
        """Give it up; the others go on. `result` then raises CancelledError, unless it was done already."""
        self._core.cancel(self)

    def _end(self, found: list[Found], error: ModelError | None) -> None:
        self._found, self._error = found, error
        self._under_way.release()
        if self._tokens is not None:
            self._tokens.put(None)


class Core:
    """A model's parameters, packed, and threads that decode with them."""

    def __init__(
        self,
        settings: dict[str, Any],
        parameters: dict[str, Floats],
        *,
        threads: int,
        rows: int | None = None,
        room: int = ROOM,
        shortlist: Shortlist | None = None,
    ) -> None:
        """`settings` and `parameters` are those of `endash.lowering`; `rows` are the beams that a thread brings forward together,
        by default as many as suit the size of the model, and `room` the requests that may wait."""
        from endash import _native

        self.precision: Precision = settings["precision"]
        self.instruction_set = _chosen()
        self.threads = threads
        try:
            self.model: _native.Model = _native.model(settings, parameters, self.instruction_set)
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            raise ModelError(f"the parameters and the settings of the model do not fit: {error}") from error
        rows = rows or (_FEW if self.model.bytes <= _SMALL else _MANY)
        self._engine: _native.Engine = _native.Engine(self.model, threads, rows, room)
        self.has_shortlist = shortlist is not None
        if shortlist is not None:
            self._engine.use_shortlist(*(x.tolist() for x in (shortlist.common, shortlist.offsets, shortlist.tokens)))
        self._tickets: dict[int, Ticket] = {}
        self._lock = threading.Lock()
        self._pump = threading.Thread(
            target=_pump, args=(self._engine, weakref.ref(self)), name="endash-core", daemon=True
        )
        self._pump.start()
        self._close = weakref.finalize(self, _end, self._engine, self._pump)

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"native core, {self.precision}, {self.instruction_set}, {threads}"

    def describe(self, config: DecodingConfig) -> str:
        """One line: what decodes so, and what goes without effect."""
        sampled = config.shortlist and config.search == "sample"  # from all that is likely
        return f"the {self}{'; without shortlist = True' if sampled else ''}"

    @property
    def memory(self) -> int:
        """Bytes that the sentences under way take."""
        return self._engine.memory

    def submit(
        self,
        source: Sequence[int],
        config: DecodingConfig,
        *,
        limit: int,
        memory: Sequence[Floats] = (),
        slots: Sequence[int] = (),
        prefix: Sequence[int] = (),
        noise: NDArray[np.float64] | None = None,
        stream: bool = False,
        scored: bool = True,
        watched: bool = False,
        wait: bool = True,
    ) -> Ticket:
        """Decode a source: its token ids; or its `memory`, the states (S, D) or those of all layers, beside which the ids are
        there for a shortlist alone.

        `limit` is the most tokens, end included; `slots` says how often each slot is to be written; the target begins with
        `prefix`; `noise` (n_best, limit) is what samples are drawn by; without `scored`, greedy search reports 0 for its score,
        and takes less time; `watched`, of greedy search, gives `Found.read`. Where too many wait, this waits as well, or
        raises ModelError if `wait` is False.
        """
        ticket = Ticket(self, stream=stream)
        drawn = [] if noise is None else noise.flatten().tolist()
        while True:
            with self._lock:  # no event of it is told before it is known
                ticket.id = self._engine.submit(
                    self.model,
                    list(source),
                    memory,
                    limit,
                    list(slots),
                    list(prefix),
                    drawn,
                    _options(config, stream=stream, scored=scored, watched=watched),
                )
                if ticket.id:
                    self._tickets[ticket.id] = ticket
                    return ticket
            if self._engine.closed:
                raise ModelError("the core was closed: load the model again")
            if not wait:
                raise ModelError("too many requests wait: try again when some are done")
            self._engine.wait_for_room(1.0)

    def cancel(self, ticket: Ticket) -> None:
        """Give up a request."""
        self._engine.cancel(ticket.id)

    def close(self) -> None:
        """End the threads; what is not done is cancelled."""
        self._close()
        with self._lock:
            left, self._tickets = self._tickets, {}
        for ticket in left.values():
            ticket._end([], CancelledError("the core was closed"))

    def _told(self, events: list[Any]) -> None:
        for number, tokens, done, cancelled, found, error in events:
            with self._lock:
                ticket = self._tickets.pop(number, None) if done else self._tickets.get(number)
            if ticket is None:
                continue
            if tokens and ticket._tokens is not None:
                ticket._tokens.put(tokens)
            if not done:
                continue
            problem: ModelError | None = None
            if cancelled:
                problem = CancelledError("the request was cancelled")
            elif error:
                problem = ModelError(
                    f"{error}: are the parameters broken, or is the precision too low for this source?"
                )
            ticket._end([Found(tuple(one[0]), one[1], one[2], one[3], tuple(one[4])) for one in found], problem)


def _end(engine: Any, pump: threading.Thread) -> None:
    """Close the engine, and wait for its pump: a thread that is still in C++ when Python ends would end the process with it."""
    engine.close()
    if pump is not threading.current_thread():
        pump.join()


def _pump(engine: Any, core: weakref.ref[Core]) -> None:
    """Hand what the engine tells to the tickets, until it is closed."""
    while True:
        events = engine.wait(60.0)
        if (one := core()) is None:
            return
        one._told(events)
        del one
        if engine.closed:
            return


@lru_cache(maxsize=64)
def _options(config: DecodingConfig, *, stream: bool, scored: bool, watched: bool) -> Any:
    from endash import _native

    sample = config.search == "sample"
    options = _native.Options()
    options.beam = 1 if sample else config.beam
    options.n_best = config.n_best
    options.no_repeat = config.no_repeat or 0
    options.length_penalty = config.length_penalty
    options.prune = config.prune or math.inf
    options.sample, options.stream, options.scored, options.watched = sample, stream, scored, watched
    options.shortlist = config.shortlist
    options.temperature, options.top_p, options.top_k = config.temperature, config.top_p or 1.0, config.top_k or 0
    return options
