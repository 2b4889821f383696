"""The native core among many callers: streams, cancelling, a full queue, closing."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from native_cases import Case, by_core, sources, submit, usual

from endash.decoding.config import DecodingConfig
from endash.errors import ModelError
from endash.native import CancelledError, Core
from endash.text import EOS

GREEDY, BEAM = DecodingConfig(beam=1), DecodingConfig(beam=4, n_best=2)
ENDLESS = DecodingConfig(beam=4, max_ratio=0, max_extra=100_000)


@pytest.fixture(scope="module")
def case() -> Case:
    return usual()


@pytest.fixture(scope="module")
def endless() -> Case:
    """A network that never ends a sentence: its requests are under way until they are cancelled."""
    import torch

    case = usual()
    with torch.no_grad():
        case.network.head.bias[EOS] = -1e4
    return case


def settle(core: Core) -> None:
    """Until nothing is under way; `memory` is counted a moment after the last result of another thread."""
    for _ in range(1000):
        if core.memory == 0:
            return
        time.sleep(0.005)
    raise AssertionError(f"{core.memory} bytes are still taken")


@pytest.mark.parametrize(
    "config", [GREEDY, BEAM, DecodingConfig(beam=3, prune=0.5), DecodingConfig(search="sample", n_best=2)]
)
def test_a_stream_gives_the_result_s_tokens(config: DecodingConfig, case: Case) -> None:
    core = case.core()
    given = sources(3, 11, 6, 20)
    expected = by_core(core, given, config)
    tickets = [submit(core, one, config, row=row, stream=True) for row, one in enumerate(given)]
    for ticket, found in zip(tickets, expected, strict=True):
        assert tuple(ticket.tokens()) == found[0].tokens
        assert ticket.result(0) == found
        assert tuple(ticket.tokens()) == found[0].tokens  # and again
    core.close()


def test_a_stream_writes_before_it_is_done(endless: Case) -> None:
    core = endless.core()
    ticket = submit(core, [7, 8, EOS], DecodingConfig(beam=1, max_ratio=0, max_extra=100_000), stream=True)
    tokens = ticket.tokens()
    assert len([next(tokens) for _ in range(20)]) == 20
    with pytest.raises(TimeoutError, match="nothing was found within"):
        ticket.result(0)
    ticket.cancel()
    with pytest.raises(CancelledError):
        list(tokens)
    core.close()


def test_cancelling_one_ends_it_and_no_other(endless: Case) -> None:
    core = endless.core()
    given = sources(4, 9, 2)
    expected = by_core(core, given, GREEDY)
    long = [submit(core, one, ENDLESS) for one in given]
    short = [submit(core, one, GREEDY) for one in given]  # behind the long ones, which leave them no room
    long[0].cancel()
    long[2].cancel()
    assert [ticket.result(60) for ticket in short] == expected
    with pytest.raises(TimeoutError):
        long[1].result(0)
    for ticket in long:
        ticket.cancel()
        with pytest.raises(CancelledError, match="the request was cancelled"):
            ticket.result(60)
    settle(core)
    core.close()


def test_cancelling_what_is_done_changes_nothing(case: Case) -> None:
    core = case.core()
    ticket = submit(core, sources(4)[0], GREEDY)
    found = ticket.result(60)
    ticket.cancel()
    assert ticket.result(0) == found
    core.close()


def test_one_that_still_waits_is_cancelled_at_once_and_leaves_its_place(endless: Case) -> None:
    core = endless.core(rows=4, room=2)
    under_way = submit(core, [7, EOS], ENDLESS, stream=True)
    next(under_way.tokens())
    # a group of sources is read ahead, and waits read; those behind it wait unread
    read = [submit(core, [7, EOS], ENDLESS) for _ in range(1)]
    behind = []

    def crowd() -> None:
        for _ in range(1000):
            behind.append(submit(core, [7, EOS], ENDLESS, wait=False))

    with pytest.raises(ModelError, match="too many requests wait: try again when some are done"):
        crowd()
    behind[-1].cancel()
    with pytest.raises(CancelledError):
        behind[-1].result(5)
    behind[-1] = submit(core, [8, EOS], ENDLESS, wait=False)
    for ticket in (under_way, *read, *behind):
        ticket.cancel()
    for ticket in (under_way, *read, *behind):
        with pytest.raises(CancelledError):
            ticket.result(60)
    settle(core)
    core.close()


def test_a_caller_waits_for_room(case: Case) -> None:
    core = case.core(rows=1, room=1)
    given = sources(*[3] * 40)
    assert by_core(core, given, GREEDY) == [by_core(core, [one], GREEDY)[0] for one in given]
    core.close()


def test_closing_ends_what_is_under_way_and_what_waits(endless: Case) -> None:
    core = endless.core(rows=4)
    tickets = [submit(core, one, ENDLESS, stream=True) for one in sources(*[3] * 40)]
    next(tickets[0].tokens())
    core.close()
    for ticket in tickets:
        with pytest.raises(CancelledError):
            ticket.result(60)
    with pytest.raises(ModelError, match="the core was closed: load the model again"):
        submit(core, [7, EOS], GREEDY)
    core.close()


def test_many_threads_each_get_what_is_theirs(case: Case) -> None:
    core = case.core(threads=2)
    given = sources(*[1 + n % 17 for n in range(160)])
    expected = by_core(core, given, BEAM)

    def some(first: int) -> bool:
        mine = slice(first, None, 16)
        return by_core(core, given[mine], BEAM) == expected[mine]

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(some, range(16)))
    settle(core)
    core.close()


def test_a_program_may_end_with_cores_open() -> None:
    """Threads that are still in C++ when Python ends must not end the process; often enough for that to be seen."""
    from pathlib import Path

    program = "from native_cases import *; kept = [usual().core() for _ in range(8)]; by_core(kept[0], sources(3), DecodingConfig())"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"source": []}, "neither a source nor a memory"),
        ({"source": [83]}, "source token 83 is not in the vocabulary"),
        ({"source": [-1]}, "source token -1 is not in the vocabulary"),
        ({"limit": 0}, "at least 1"),
        ({"source": [], "memory": (2, 31)}, "another shape"),
        ({"source": [], "memory": (2, 32, 32)}, "1 view"),
        ({"slots": [1, 1]}, "slots"),
        ({"search": "sample"}, "noise"),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(wrong: dict[str, object], told: str, case: Case) -> None:
    """A mistake of our own and not of a user, which must not read memory that is not there."""
    import numpy as np

    core = case.core()
    shape = wrong.get("memory", ())
    width = shape[1:] if isinstance(shape, tuple) else ()
    memory = [np.zeros((2, size), np.float32) for size in width]
    with pytest.raises(ValueError, match=told):
        core.submit(
            wrong.get("source", [7, EOS]),  # type: ignore[arg-type]
            DecodingConfig(search=wrong.get("search", "beam")),  # type: ignore[arg-type]
            limit=wrong.get("limit", 5),  # type: ignore[arg-type]
            memory=memory,
            slots=wrong.get("slots", ()),  # type: ignore[arg-type]
        )
    core.close()
