"""Memories of random numbers, with all that a memory can hold."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from endash.memory import Latent, Memory


def made(lengths: tuple[int, ...] = (4, 2), *, seed: int = 0, width: int = 6, origin: str = "here") -> Memory:
    """A memory with all that a memory can hold."""
    generator = torch.Generator().manual_seed(seed)
    B, S = len(lengths), max(lengths)
    mask = torch.arange(S) < torch.tensor(lengths)[:, None]
    states = torch.randn(B, S, width, generator=generator)
    return Memory(
        states,
        mask,
        summary=states.mean(1),
        layers=(states * 2, states),
        latent=Latent(*torch.randn(3, B, 2, generator=generator)),
        tokens=torch.randint(5, 20, (B, S), generator=generator) * mask,
        sources=tuple(f"text {seed}.{row} – ü\n\U0001f3e0" for row in range(B)),
        origin=origin,
    )


def assert_same(got: Memory, wanted: Memory) -> None:
    for field in fields(Memory):
        one, other = getattr(got, field.name), getattr(wanted, field.name)
        if isinstance(other, Tensor):
            assert one.dtype == other.dtype, field.name
            assert torch.equal(one, other), field.name
        elif field.name in {"layers", "latent"}:
            ones, others = (
                list(vars(value).values() if isinstance(value, Latent) else value or ()) for value in (one, other)
            )
            assert len(ones) == len(others)
            assert all(torch.equal(x, y) for x, y in zip(ones, others, strict=True))
        else:
            assert one == other, field.name
