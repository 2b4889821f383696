"""All that search sees of a model: of one that writes in order, `start` and `step`; of one that writes at once, `lengths` and `fill`.

Shapes: B rows of the batch, K beams of a row, T positions of the target, N lengths, V vocabulary.
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
    """A model that writes in order, with its sources in place."""

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


class Filler(Protocol):
    """A model that writes all positions at once, with its sources in place."""

    @property
    def rows(self) -> int:
        """B, the number of sources; it may be 0."""
        ...

    @property
    def device(self) -> torch.device:
        """Where tokens are expected and scores are found."""
        ...

    def lengths(self, lengths_N: Tensor, /) -> Tensor:
        """Log-probabilities (B, N) of a target of so many tokens, the end of sentence included."""
        ...

    def fill(self, tokens_BT: Tensor, /) -> Tensor:
        """Scores (B, T, V) of what stands at each position of targets of which some tokens are unknown.

        Each row is words, known or unknown, the end of sentence, and padding. Scores are as a `Stepper`'s, and pass to the
        search as they do.
        """
        ...
