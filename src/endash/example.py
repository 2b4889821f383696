"""What a model learns one thing from: the token ids of a source, of its target, and of what is read beside them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one example, eos included; a passage may be empty."""

    source: list[int]
    target: list[int]
    passages: tuple[list[int], ...] = ()
