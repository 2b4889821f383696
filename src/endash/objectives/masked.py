"""The masked language model's objective: some target tokens are hidden, and only these are predicted. Shapes: B batch, T target."""

from __future__ import annotations

import torch
from torch import Tensor

from endash.objectives.cross_entropy import Loss


def draw_hidden(tokens_BT: Tensor) -> Tensor:
    """Which of the tokens (B, T), True where there is one, are hidden: n of each row's N, n uniform in 1 … N (Ghazvininejad et al. 2019, section 2.2)."""
    count_B = tokens_BT.sum(1)
    hidden_B = (torch.rand(len(count_B), device=tokens_BT.device) * count_B).long() + 1
    order_BT = torch.rand(tokens_BT.shape, device=tokens_BT.device).masked_fill(~tokens_BT, 2.0)
    rank_BT = order_BT.argsort(1).argsort(1)
    return tokens_BT & (rank_BT < hidden_B[:, None])


def joined(words: Loss | None, lengths: Loss, *, tokens: int) -> Loss:
    """The loss of hidden words and of the targets' lengths, each of which counts as one token: the end of sentence that it tells.

    It stands for all `tokens` of the targets, so its `nll` is an estimate where some were known; without known ones it is exact.
    Departure from Ghazvininejad et al. 2019, section 2.3, who add the length's loss unweighted. `words` is None where there are none.
    """
    parts = [lengths] if words is None else [words, lengths]
    asked = sum(part.tokens for part in parts)
    total = sum((part.total * (part.tokens / asked) for part in parts), start=torch.zeros_like(lengths.total))
    return Loss(total, tokens, sum(part.nll for part in parts) * tokens / asked)
