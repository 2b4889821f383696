from __future__ import annotations

import torch
from torch import Tensor

from endash.parts.copyable import LONGEST_RUN, Copyable


def copyable(before: Tensor) -> Copyable:
    nothing = torch.zeros(*before.shape, 2)
    return Copyable(nothing, nothing, tokens=before, before=before, mask=before != 0, bias=nothing[:, None, :, 0])


def slow_runs(before: list[int], read: list[int]) -> list[int]:
    def run(position: int) -> int:
        length = 0
        while (
            length < min(LONGEST_RUN, len(read), position + 1) and before[position - length] == read[-1 - length] != 0
        ):
            length += 1
        return length

    return [run(position) for position in range(len(before))]


def test_a_run_is_how_much_of_what_was_read_last_stands_right_before_a_position() -> None:
    #                a  b  c  d  e  a  b  and, in another passage, b c; 0 stands before its first
    before = torch.tensor([[0, 5, 6, 7, 8, 9, 5, 6, 0, 6, 7]])
    read = torch.tensor([[5, 6, 7, 8, 9, 4]])
    runs = copyable(before).runs(read)[0]
    assert runs[1].tolist() == [0, 0, 2, 0, 0, 0, 0, 2, 0, 1, 0]
    assert runs[2].tolist() == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 2]
    assert runs[4].tolist() == [0, 0, 0, 0, 0, LONGEST_RUN, 0, 0, 0, 0, 0]
    assert runs[5].sum() == 0


def test_runs_are_the_same_at_once_and_a_token_at_a_time_and_by_a_plain_loop() -> None:
    torch.manual_seed(0)
    before, read = torch.randint(0, 4, (5, 30)), torch.randint(1, 4, (5, 20))
    kept = copyable(before)
    at_once = kept.runs(read)
    runs = kept.no_runs()
    for t in range(read.shape[1]):
        runs = kept.follow(read[:, t : t + 1], runs)
        assert torch.equal(runs[:, 0], at_once[:, t])
        assert runs[:, 0].tolist() == [
            slow_runs(row.tolist(), words[: t + 1].tolist()) for row, words in zip(before, read, strict=True)
        ]
    assert at_once.max() == LONGEST_RUN
