"""Rows of memories: put together, cut out of their padding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from endash.errors import MemoryMismatchError
from endash.memory import Memory
from memories import assert_same, made


def test_rows_without_their_padding_are_stacked_to_the_same_again() -> None:
    memory = made((4, 2, 3)).join(made((1, 3, 0), seed=1))
    rows = [memory.select([row]).trim() for row in range(3)]
    assert [row.states.shape[1] for row in rows] == [5, 5, 3]
    assert all(row.mask.all() for row in rows)
    stacked = Memory.stack(rows)
    assert stacked.states.shape == (3, 5, 6)
    assert stacked.sources == memory.sources
    for field in ("states", "tokens", "segments"):
        assert torch.equal(getattr(stacked, field)[stacked.mask], getattr(memory, field)[memory.mask]), field
        assert not getattr(stacked, field)[~stacked.mask].any(), field
    for number in (0, 1):
        assert torch.equal(stacked.layers[number][stacked.mask], memory.layers[number][memory.mask])
    assert stacked.summary is not None
    assert memory.summary is not None
    assert torch.equal(stacked.summary, memory.summary)
    assert stacked.latent is not None
    assert memory.latent is not None
    assert torch.equal(stacked.latent.log_variance, memory.latent.log_variance)
    for number, row in enumerate(rows):
        assert_same(stacked.select([number]).trim(), row)


def test_positions_that_one_row_needs_stay() -> None:
    memory = made((4, 2, 3)).join(made((1, 3, 0), seed=1))
    trimmed = memory.select([1, 2]).trim()
    assert trimmed.mask.tolist() == [[True, True, False, True, True, True], [True, True, True, False, False, False]]
    assert torch.equal(trimmed.states[0, 3:], memory.states[1, 4:])


def test_a_row_of_nothing_is_trimmed_to_nothing_and_stacked() -> None:
    none = made((2, 0)).select([1]).trim()
    assert none.states.shape == (1, 0, 6)
    assert Memory.stack([none, made()]).mask.sum(1).tolist() == [0, 4, 2]
    assert_same(Memory.stack([made().select([]), made()]), made())


def test_what_one_lacks_is_left_out_of_a_stack() -> None:
    whole, bare = made(), replace(made(seed=1), tokens=None, layers=made(seed=1).layers[:1], summary=None, sources=())
    stacked = Memory.stack([whole, bare])
    assert (stacked.tokens, stacked.summary, stacked.sources) == (None, None, ())
    assert len(stacked.layers) == 1
    segments = Memory.stack([whole, whole.join(whole)]).segments
    assert segments is not None
    assert segments[:, ::4].tolist() == [[0, 0], [0, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("memories", "found"),
    [
        ([made(), made(origin="there")], r"width 6 of 'here', width 6 of 'there'"),
        ([made(), made(width=8)], r"width 6 of 'here', width 8 of 'here'"),
        ([], "none"),
    ],
)
def test_memories_of_two_encoders_are_not_stacked(memories: list[Memory], found: str) -> None:
    with pytest.raises(MemoryMismatchError, match=rf"and these are {found}: encode all with one model$"):
        Memory.stack(memories)
