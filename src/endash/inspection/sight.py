"""What each position can see: the masks of a model as they work, found by changing one token at a time.

Shapes: S positions of the memory, T target positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from endash.text import EOS, UNK

if TYPE_CHECKING:
    from endash.memory import Memory
    from endash.model import Model

_SAME = 1e-5  # rows of one batch differ by rounding alone, of numbers of size 1


@torch.no_grad()
def source_sight(model: Model, memory: Memory) -> Tensor:
    """(S, S) boolean: whether state i of a one-row memory changes when token j of what was encoded does."""
    assert memory.tokens is not None
    tokens_S, where_S = memory.tokens[0], memory.mask[0]
    changed_SS = _each_changed(tokens_S)[where_S]
    parts = [tokens_S] if memory.segments is None else _parts(tokens_S, memory.segments[0])
    source, *passages = changed_SS.split([len(part) for part in parts], dim=1)
    states_SSD = model.network.encode(source, tuple(passages)).states
    return _moved(states_SSD, memory.states[0]).T[where_S]


@torch.no_grad()
def target_sight(model: Model, memory: Memory, tokens: Sequence[int]) -> Tensor:
    """(T, T) boolean: whether what is written at position t changes when target token j does, the end of sentence last."""
    target_T = torch.tensor([*tokens, EOS], device=memory.tokens.device if memory.tokens is not None else None)
    changed_TT = _each_changed(target_T)
    link = model.network.open(memory.select([0] * (len(target_T) + 1)))
    hidden = model.network.decode(torch.cat([changed_TT, target_T[None]]), link)
    return _moved(hidden[:-1], hidden[-1]).T


def _each_changed(tokens_N: Tensor) -> Tensor:
    """(N, N): in row j the tokens with the j-th put to one that no text has."""
    return torch.where(torch.eye(len(tokens_N), dtype=torch.bool, device=tokens_N.device), UNK, tokens_N)


def _parts(tokens_S: Tensor, segments_S: Tensor) -> list[Tensor]:
    return [tokens_S[segments_S == part] for part in range(int(segments_S.max()) + 1)]


def _moved(changed_CND: Tensor, before_ND: Tensor) -> Tensor:
    """(C, N): whether each of N vectors is another in each of C changes."""
    moved: Tensor = (changed_CND.float() - before_ND.float()).abs().amax(-1) > _SAME * before_ND.abs().max()
    return moved
