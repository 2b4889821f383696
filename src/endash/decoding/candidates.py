"""The best continuations of each row, without a log-softmax of all scores being written anywhere.

Shapes: B rows, K beams, V vocabulary, C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from endash.errors import ModelError

NEVER = float("-inf")
DROP_SHARE = 8  # finished rows leave the batch once they are 1/8 of it: leaving copies the state of those that stay


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best continuations of each row, best first: their total score, the beam they continue and their token."""

    scores: Tensor  # (B, C)
    beams: Tensor  # (B, C)
    tokens: Tensor  # (B, C)


def log_total(scores_BKV: Tensor) -> Tensor:
    """The logarithm (B, K) of the sum of exponentials: what makes scores log-probabilities when subtracted.

    Raises ModelError if it is not finite.
    """
    total_BK = torch.logsumexp(scores_BKV, dim=-1)
    if not bool(total_BK.isfinite().all()):
        broken = (~total_BK.isfinite()).any(1).nonzero().flatten().tolist()
        raise ModelError(
            f"the model's scores are not finite in {len(broken)} of {len(total_BK)} rows of the batch "
            f"(first: row {broken[0]}): its parameters are broken, or its precision is too low for this source"
        )
    return total_BK


def best(scores_BKV: Tensor, offsets_BK: Tensor, count: int) -> Candidates:
    """The `count` best of ``scores_BKV + offsets_BK`` of each row, over its beams and tokens.

    Where a row has fewer, the rest have a score of -inf.
    """
    rows, beams, vocabulary = scores_BKV.shape
    within = min(count, vocabulary)
    scores_BKW, tokens_BKW = scores_BKV.topk(within, dim=-1)
    flat = (scores_BKW + offsets_BK[..., None]).view(rows, beams * within)
    scores_BC, at_BC = flat.topk(min(count, beams * within), dim=-1)
    found = Candidates(scores_BC, at_BC // within, tokens_BKW.view(rows, -1).gather(1, at_BC))
    return found if scores_BC.shape[1] == count else _padded(found, count)


def _padded(found: Candidates, count: int) -> Candidates:
    missing = (0, count - found.scores.shape[1])
    pad = torch.nn.functional.pad
    return Candidates(pad(found.scores, missing, value=NEVER), pad(found.beams, missing), pad(found.tokens, missing))
