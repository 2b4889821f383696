from __future__ import annotations

import pytest
import torch

from endash.parts import recurrence

MASK = torch.tensor([[True, True, True], [True, True, False], [False, False, False]])


def test_only_the_real_positions_are_reversed() -> None:
    x = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).float()[:, :, None]
    assert recurrence.reverse(x, MASK)[:, :, 0].tolist() == [[3, 2, 1], [5, 4, 6], [7, 8, 9]]


def test_reversing_undoes_itself() -> None:
    x = torch.randn(3, 3, 4)
    assert torch.equal(recurrence.reverse(recurrence.reverse(x, MASK), MASK), x)


def test_last_is_the_last_real_state_and_zero_where_there_is_none() -> None:
    x = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).float()[:, :, None]
    assert recurrence.last(x, MASK)[:, 0].tolist() == [3, 5, 0]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_is_carried_goes_on_where_the_layer_stopped(cell: recurrence.Cell) -> None:
    torch.manual_seed(0)
    rnn, x = recurrence.layer(cell, 4, 5), torch.randn(2, 6, 4)
    whole, end = recurrence.run(rnn, x)
    first, carried = recurrence.run(rnn, x[:, :2])
    rest, rest_end = recurrence.run(rnn, x[:, 2:], carried)
    assert len(carried) == recurrence.CARRIED[cell]
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)
    torch.testing.assert_close(rest_end, end)
    torch.testing.assert_close(end[0], whole[:, -1])


def test_an_lstm_starts_with_its_forget_gate_open() -> None:
    bias = recurrence.layer("lstm", 4, 5).get_parameter("bias_ih_l0")
    assert (bias[5:10] == 1).all()
    assert (bias[:5].abs() < 1).all()
