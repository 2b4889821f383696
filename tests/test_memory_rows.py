"""Rows of memories: put together, cut out of their padding, pooled and compared."""

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


def test_a_row_is_pooled_over_what_is_real() -> None:
    memory = made((4, 2, 0))
    mean = torch.stack([memory.states[0].mean(0), memory.states[1, :2].mean(0), torch.zeros(6)])
    torch.testing.assert_close(memory.pool(), mean)
    later = replace(memory, mask=memory.mask.flip(1))
    assert torch.equal(later.pool("first"), torch.stack([memory.states[0, 0], memory.states[1, 2], torch.zeros(6)]))
    assert torch.equal(memory.select([2]).trim().pool(), torch.zeros(1, 6))
    with pytest.raises(MemoryMismatchError, match=r"pooled by 'frist': did you mean 'first'\? allowed: first, mean$"):
        memory.pool("frist")  # type: ignore[arg-type]


def test_the_nearest_rows_come_first_with_their_cosines() -> None:
    memory, mask = made((1, 1, 1)), torch.ones(3, 1, dtype=torch.bool)
    states = torch.tensor([[[2.0, 0]], [[1, 1]], [[0, -3]]])
    other = Memory(states, mask, origin="here")
    found = Memory(torch.tensor([[[1.0, 0.1]], [[0, 1]], [[0, 0]]]), mask, origin="here").nearest(other, count=2)
    assert found.rows[:2].tolist() == [[0, 1], [1, 0]]
    wanted = torch.tensor([[1.01**-0.5, 1.1 / 2.02**0.5], [0.5**0.5, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(found.similarities, wanted)
    half = memory.to(dtype=torch.bfloat16)
    assert half.nearest(half).rows.tolist() == [[0], [1], [2]]


def test_what_cannot_be_compared_says_why() -> None:
    with pytest.raises(MemoryMismatchError, match=r"cannot be compared \(origins 'here' and 'there'\): encode both"):
        made().nearest(made(origin="there"))
    for count in (0, 3):
        with pytest.raises(MemoryMismatchError, match=rf"^count = {count} of 2 rows: ask for 1 to 2 of them$"):
            made().nearest(made(), count=count)
