from __future__ import annotations

import torch
from torch import Tensor

from endash.parts.copyable import LONGEST_RUN, Copyable, run


def copyable(before: Tensor) -> Copyable:
    nothing = torch.zeros(*before.shape, 2)
    return Copyable(nothing, nothing, tokens=before, before=before, mask=before != 0, bias=nothing[:, None, :, 0])


def slow_traces(before: list[int], read: list[int]) -> list[int]:
    """By the definition: one position and one length at a time."""

    def run_after(count: int, position: int) -> int:
        length = 0
        while (
            length < min(LONGEST_RUN, count, position + 1)
            and before[position - length] == read[count - 1 - length] != 0
        ):
            length += 1
        return length

    def done(position: int) -> bool:
        return position + 1 < len(before) and any(run_after(t, position + 1) >= 2 for t in range(1, len(read) + 1))

    return [run_after(len(read), at) + (1 + LONGEST_RUN) * done(at) for at in range(len(before))]


def test_a_run_is_how_much_of_what_was_read_last_stands_right_before_a_position() -> None:
    #                a  b  c  d  e  a  b  and, in another passage, b c; 0 stands before its first
    before = torch.tensor([[0, 5, 6, 7, 8, 9, 5, 6, 0, 6, 7]])
    runs = run(copyable(before).traces(torch.tensor([[5, 6, 7, 8, 9, 4]])))[0]
    assert runs[1].tolist() == [0, 0, 2, 0, 0, 0, 0, 2, 0, 1, 0]
    assert runs[2].tolist() == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 2]
    assert runs[4].tolist() == [0, 0, 0, 0, 0, LONGEST_RUN, 0, 0, 0, 0, 0]
    assert runs[5].sum() == 0


def test_a_position_is_done_once_it_was_read_behind_the_one_before_it() -> None:
    before = torch.tensor([[0, 5, 6, 7, 8, 9, 5, 6, 0, 6, 7]])
    done = (copyable(before).traces(torch.tensor([[5, 6, 7, 4]])) > LONGEST_RUN)[0].int()
    assert done[0].sum() == 0
    assert done[1].tolist() == [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert done[2].tolist() == done[3].tolist() == [0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0]


def test_traces_are_the_same_at_once_and_a_token_at_a_time_and_by_the_definition() -> None:
    torch.manual_seed(0)
    before, read = torch.randint(0, 4, (5, 30)), torch.randint(1, 4, (5, 20))
    kept = copyable(before)
    at_once = kept.traces(read)
    traces = kept.no_traces()
    for t in range(read.shape[1]):
        traces = kept.follow(read[:, t : t + 1], traces)
        assert torch.equal(traces[:, 0], at_once[:, t])
        assert traces[:, 0].tolist() == [
            slow_traces(row.tolist(), words[: t + 1].tolist()) for row, words in zip(before, read, strict=True)
        ]
    assert run(at_once).max() == LONGEST_RUN
