"""Connectionist temporal classification: a target told from the positions of its source alone, in their order.

Shapes: B batch, S source positions, T target, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor, nn

from endash.objectives.cross_entropy import Loss
from endash.parts.masks import real

BLANK = 0  # what a position tells that tells no token: the id of padding, which no target has


def positions_for(target: Sequence[int]) -> int:
    """The fewest source positions that can tell a target's tokens, the end of sentence left out.

    One for each token, and a blank between two that are alike. A target with fewer has no probability.
    """
    return len(target) + sum(one == other for one, other in pairwise(target))


def ctc(log_probability_BSV: Tensor, mask_BS: Tensor, target_BT: Tensor) -> Tensor:
    """-log p(y | x) (B,) in nats, where p(y | x) = Σ_a Π_s p(a_s | x) (Graves et al. 2006, equations 2 and 3).

    The sum is over all alignments a of a token or `BLANK` to each position that become y when repetitions are put together and
    then blanks removed. `mask_BS` is True at real positions, which come first; `target_BT` ends in eos, which is told by
    where the source ends and is left out. 0 for a target that has no alignment; see `positions_for`.
    """
    loss_B: Tensor = nn.functional.ctc_loss(
        log_probability_BSV.transpose(0, 1),
        target_BT,
        mask_BS.sum(1),
        real(target_BT).sum(1) - 1,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    return loss_B


def with_ctc(cross_entropy: Loss, ctc_B: Tensor, share: float) -> Loss:
    """(1 - λ) cross-entropy + λ CTC, each a sum over the batch's targets, by its tokens (Watanabe et al. 2017, multiobjective learning).

    λ is `share`. The `nll` stays that of the decoder alone; the CTC loss is the part ``ctc``.
    """
    total = (1 - share) * cross_entropy.total + share * ctc_B.sum() / cross_entropy.tokens
    return replace(cross_entropy, total=total, parts={**cross_entropy.parts, "ctc": ctc_B.sum().item()})
