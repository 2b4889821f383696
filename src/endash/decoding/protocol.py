"""The two calls that search makes, `start` and `step`, and what it asks of the state that passes between them.

Shapes: B rows of the batch, K beams of a row, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class State(Protocol):
    """What a decoder carries from one step to the next. A value: both methods return a new state and change nothing."""

    def select(self, rows: Tensor, /) -> Self:
        """The state of these rows of the batch alone, in this order; `rows` is int64 of shape (new B,)."""
        ...

    def reorder(self, parents_BK: Tensor, /) -> Self:
        """The state whose beam k of row b goes on from beam ``parents_BK[b, k]`` of row b.

        `parents_BK` is int64. Its K need not be the state's: the first call of a search makes one beam into K. What
        does not depend on the beam, such as the memory, is held once for each row and stays as it is.
        """
        ...


S = TypeVar("S", bound=State)


class Stepper(Protocol[S]):
    """A model with its sources in place: all that search sees of it."""

    @property
    def rows(self) -> int:
        """B, the number of sources; it may be 0."""
        ...

    @property
    def vocabulary(self) -> int:
        """V, the number of target tokens."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the tokens of a step are expected and its scores are found."""
        ...

    def start(self) -> S:
        """The state before the first token: B rows of one beam each."""
        ...

    def step(self, tokens_BK: Tensor, state: S, /) -> tuple[Tensor, S]:
        """Scores (B, K, V) of the token that follows `tokens_BK` (int64), and the state after reading these.

        Scores are unnormalised log-probabilities, float32; search normalises them. The tensor passes to the search,
        which writes to it: return no view of something that is kept. B is smaller than `rows` once search has dropped
        finished rows by `State.select`.
        """
        ...
