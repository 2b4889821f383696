"""What a model learns one thing from: a source, its target, and what is read beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one example, eos included; a passage may be empty.

    Attributes:
        source: its token ids; or samples, pixels or features, as `endash.signals.pad_signals` takes them.
        target: token ids; or a label, or one of each word.
        passages: what is joined to the source.
        places: of each label of a word, where in the source the word begins, from 1; empty for other targets.
    """

    source: list[int] | NDArray[Any]
    target: list[int]
    passages: tuple[list[int], ...] = ()
    places: tuple[int, ...] = ()
