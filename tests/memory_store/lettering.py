"""A stand-in for a model, whose memories tell what they were made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from endash.memory import Memory


class Lettering:
    """Each letter is a position whose states are its number times 1 … width; `encoded` are the texts it was asked for."""

    def __init__(self, *, width: int = 8, origin: str = "here") -> None:
        self.width, self.origin, self.encoded = width, origin, list[str]()

    def memory_keys(self, texts: Sequence[str]) -> list[str]:
        return [f"{self.origin} {text}" for text in texts]

    def encode(self, texts: Sequence[str]) -> Memory:
        self.encoded += texts
        length = max([1, *map(len, texts)])
        tokens = torch.tensor([[*map(ord, text), *[0] * (length - len(text))] for text in texts]).view(-1, length)
        states = tokens[:, :, None] * torch.arange(1.0, 1 + self.width) / 7
        return Memory(states, tokens != 0, tokens=tokens, sources=tuple(texts), origin=self.origin)


def is_whole(memory: Memory) -> bool:
    """Whether this is what `Lettering` makes of its source, to the bit."""
    made = Lettering(width=memory.states.shape[2]).encode(memory.sources)
    return bool(torch.equal(memory.states, made.states) and torch.equal(memory.mask, made.mask))
