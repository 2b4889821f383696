"""A stepper whose scores are a random table, and searches over it that are too slow to be wrong."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

PAD, BOS, EOS = 0, 1, 2


@dataclass(frozen=True)
class ToyState:
    tables: Tensor  # (B, V, V, V): scores of the next token given the last two
    last: Tensor  # (B, K)

    def select(self, rows: Tensor) -> ToyState:
        return ToyState(self.tables[rows], self.last[rows])

    def reorder(self, parents: Tensor) -> ToyState:
        return ToyState(self.tables, self.last.gather(1, parents))


class Toy:
    """Each row of the batch is a language of its own, in which two tokens decide the next."""

    device = torch.device("cpu")

    def __init__(self, tables: Tensor) -> None:
        self.tables = tables
        self.rows, self.vocabulary = len(tables), tables.shape[-1]
        self.batches: list[int] = []  # the rows of each step

    @classmethod
    def random(cls, rows: int, vocabulary: int, seed: int = 0, spread: float = 2.0) -> Toy:
        generator = torch.Generator().manual_seed(seed)
        tables = spread * torch.randn(rows, vocabulary, vocabulary, vocabulary, generator=generator)
        return cls(tables)

    def start(self) -> ToyState:
        return ToyState(self.tables, torch.full((self.rows, 1), PAD))

    def step(self, tokens: Tensor, state: ToyState) -> tuple[Tensor, ToyState]:
        self.batches.append(len(tokens))
        rows = torch.arange(len(tokens))[:, None]
        return state.tables[rows, state.last, tokens], ToyState(state.tables, tokens)

    def log_probability(self, row: int, tokens: tuple[int, ...], finished: bool = True) -> float:
        """Of a target, one step after the other in float64, none of it shared with a search."""
        table = self.tables[row].double().log_softmax(-1)
        path = [PAD, BOS, *tokens, *([EOS] if finished else [])]
        return sum(float(table[a, b, c]) for a, b, c in zip(path, path[1:], path[2:], strict=False))


def exhaustive(toy: Toy, row: int, limit: int, alpha: float) -> list[tuple[float, tuple[int, ...]]]:
    """Every target that ends within `limit` tokens, by normalised score, best first."""
    words = [token for token in range(toy.vocabulary) if token != EOS]
    found = [
        (toy.log_probability(row, tokens) / (length + 1) ** alpha, tokens)
        for length in range(limit)
        for tokens in itertools.product(words, repeat=length)
    ]
    return sorted(found, reverse=True)


def plain_beam(toy: Toy, row: int, limit: int, alpha: float, beam: int) -> list[tuple[float, tuple[int, ...]]]:
    """The definition of beam search, one row, until as many have finished as there are beams: all these, by normalised score, best first."""
    table = toy.tables[row].double().log_softmax(-1)
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    found = []
    for _ in range(limit):
        candidates = []
        for score, tokens in live:
            path = (PAD, BOS, *tokens)
            candidates += [(score + float(table[path[-2], path[-1], t]), (*tokens, t)) for t in range(toy.vocabulary)]
        candidates.sort(reverse=True)
        found += [(score / len(path) ** alpha, path[:-1]) for score, path in candidates[:beam] if path[-1] == EOS]
        live = [(score, path) for score, path in candidates if path[-1] != EOS][:beam]
        if len(found) >= beam:
            break
    return sorted(found, reverse=True)
