"""The best continuations of each row, without a log-softmax of all scores being written anywhere.

Shapes: B rows, K beams, V vocabulary, C candidates, G groups of tokens, M members of a group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from endash.errors import ModelError

NEVER = float("-inf")
DROP_SHARE = 8  # finished rows leave the batch once they are 1/8 of it: leaving copies the state of those that stay

_CHUNK = 1 << 17  # scores whose exponentials are summed at a time: half a megabyte, which stays in a core's cache
_SAFE_SUM = 1e-30  # a smaller sum of exponentials may have lost some of them to underflow
_GROUPED_FROM = 1024  # in smaller vocabularies, grouping costs more than it saves


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best continuations of each row, best first: their total score, the beam they continue and their token."""

    scores: Tensor  # (B, C)
    beams: Tensor  # (B, C)
    tokens: Tensor  # (B, C)


def log_total(scores_BKV: Tensor) -> Tensor:
    """The logarithm (B, K) of the sum of exponentials: what makes scores log-probabilities when subtracted.

    The largest score is subtracted first only where the sum would overflow or underflow without, which saves one pass in
    three. Raises ModelError if the result is not finite.
    """
    flat = scores_BKV.flatten(0, 1)
    sums, size = flat.new_empty(len(flat)), max(1, _CHUNK // flat.shape[1])
    buffer = flat.new_empty(min(size, len(flat)), flat.shape[1])
    for part, sums_part in zip(flat.split(size), sums.split(size), strict=True):
        torch.sum(torch.exp(part, out=buffer[: len(part)]), dim=1, out=sums_part)
    total_BK = sums.log().view(scores_BKV.shape[:2])
    smallest, largest = torch.aminmax(sums)
    if not (float(smallest) > _SAFE_SUM and float(largest) < math.inf):  # also where they are NaN
        extreme = ~((sums > _SAFE_SUM) & sums.isfinite()).view(scores_BKV.shape[:2])
        total_BK[extreme] = torch.logsumexp(scores_BKV[extreme], dim=-1)
        _check_finite(total_BK)
    return total_BK


def _check_finite(total_BK: Tensor) -> None:
    broken = (~total_BK.isfinite()).any(1).nonzero().flatten().tolist()
    if broken:
        raise ModelError(
            f"the model's scores are not finite in {len(broken)} of {len(total_BK)} rows of the batch "
            f"(first: row {broken[0]}): its parameters are broken, or its precision is too low for this source"
        )


def best(scores_BKV: Tensor, offsets_BK: Tensor, count: int) -> Candidates:
    """The `count` best of ``scores_BKV + offsets_BK`` of each row, over its beams and tokens.

    Where a row has fewer, the rest have a score of -inf.
    """
    beams, vocabulary = scores_BKV.shape[1:]
    groups = 32 * max(1, round(math.sqrt(2 * vocabulary) / 32))  # as many groups of a beam as members of two groups
    if vocabulary >= _GROUPED_FROM and count <= groups:
        return _best_by_groups(scores_BKV, offsets_BK, count, groups)
    flat = (scores_BKV + offsets_BK[..., None]).flatten(1)
    scores_BC, at_BC = flat.topk(min(count, beams * vocabulary), dim=1)
    missing = (0, count - scores_BC.shape[1])
    at_BC = torch.nn.functional.pad(at_BC, missing)
    return Candidates(torch.nn.functional.pad(scores_BC, missing, value=NEVER), at_BC // vocabulary, at_BC % vocabulary)


def _best_by_groups(scores_BKV: Tensor, offsets_BK: Tensor, count: int, groups: int) -> Candidates:
    """The same, looking closely only at the `count` groups of tokens with the largest maxima: the best are all in these.

    Group g holds the tokens g, g + G, g + 2G, …, so the maxima of all groups are found side by side, in one pass over the
    scores at the speed of memory; a top-k of all scores takes several times as long.
    """
    vocabulary = scores_BKV.shape[-1]
    members, rest = divmod(vocabulary, groups)
    maxima_BKG = scores_BKV[..., : members * groups].unflatten(-1, (members, groups)).amax(-2)
    if rest:
        torch.maximum(maxima_BKG[..., :rest], scores_BKV[..., members * groups :], out=maxima_BKG[..., :rest])
    best_BC = (maxima_BKG + offsets_BK[..., None]).flatten(1).topk(count, dim=1, sorted=False).indices
    beam_BC, group_BC = best_BC // groups, best_BC % groups
    first_BC = beam_BC * vocabulary + group_BC
    place_BCM = first_BC[..., None] + torch.arange(0, vocabulary, groups, device=scores_BKV.device)
    if rest:  # the last member is missing from the groups behind the rest: look at the first again, and leave it out
        missing_BC = group_BC >= rest
        place_BCM[..., -1] = torch.where(missing_BC, first_BC, place_BCM[..., -1])
    close_BCM = scores_BKV.flatten(1).gather(1, place_BCM.flatten(1)).view(place_BCM.shape)
    close_BCM += offsets_BK.gather(1, beam_BC)[..., None]
    if rest:
        close_BCM[..., -1].masked_fill_(missing_BC, NEVER)
    scores_BC, at_BC = close_BCM.flatten(1).topk(count, dim=1)
    place_BC = place_BCM.flatten(1).gather(1, at_BC)
    return Candidates(scores_BC, place_BC // vocabulary, place_BC % vocabulary)
