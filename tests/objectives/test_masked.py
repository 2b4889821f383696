from __future__ import annotations

from collections import Counter

import pytest
import torch

from endash.objectives.cross_entropy import Loss
from endash.objectives.masked import draw_hidden, joined


def test_each_number_of_tokens_and_each_token_is_hidden_as_often() -> None:
    torch.manual_seed(0)
    tokens = torch.tensor([[True] * 4 + [False] * 2]).expand(20_000, -1)
    hidden = draw_hidden(tokens)
    assert not (hidden & ~tokens).any()
    counts = Counter(hidden.sum(1).tolist())
    assert sorted(counts) == [1, 2, 3, 4]
    # four standard deviations of a share of 1/4 (or of 5/8) in 20,000 draws are 0.013
    assert all(count / 20_000 == pytest.approx(1 / 4, abs=0.013) for count in counts.values())
    assert hidden[:, :4].float().mean(0).tolist() == pytest.approx([5 / 8] * 4, abs=0.014)


def test_a_row_without_tokens_hides_none() -> None:
    assert not draw_hidden(torch.zeros(3, 2, dtype=torch.bool)).any()


def test_a_length_weighs_as_much_as_a_word() -> None:
    words, lengths = Loss(torch.tensor(2.0), 6, 12.0), Loss(torch.tensor(5.0), 2, 10.0)
    loss = joined(words, lengths, tokens=8)
    assert (float(loss.total), loss.tokens, loss.nll) == (pytest.approx(22 / 8), 8, pytest.approx(22.0))
    assert joined(words, lengths, tokens=16).nll == pytest.approx(44.0)
    assert float(joined(None, lengths, tokens=2).total) == 5.0
