from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.decoding.mask_predict import mask_predict
from endash.decoding.processors import SlotConstraint
from endash.errors import ModelError

PAD, UNKNOWN, BOS, EOS, FIRST_SLOT, SLOTS, V, LONGEST = 0, 1, 2, 3, 4, 2, 12, 8


class Toy:
    """What stands at a position depends on that position, the length, and all that is known, by random tables of the row."""

    device = torch.device("cpu")

    def __init__(self, rows: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.rows = rows
        self.base = 2 * torch.randn(rows, LONGEST + 1, LONGEST, V, generator=generator)
        self.pull = torch.randn(rows, LONGEST, V, V, generator=generator)
        self.of_length = torch.randn(rows, LONGEST + 2, generator=generator).log_softmax(1)
        self.asked: list[Tensor] = []

    def lengths(self, lengths: Tensor) -> Tensor:
        return self.of_length[:, lengths]

    def row(self, number: int, tokens: tuple[int, ...]) -> Tensor:
        """(T, V) of one target without padding."""
        scores = self.base[number, len(tokens), : len(tokens)].clone()
        for place, token in enumerate(tokens):
            if token not in {UNKNOWN, EOS}:
                scores += self.pull[number, place, token]
        return scores

    def fill(self, tokens: Tensor) -> Tensor:
        self.asked.append(tokens)
        scores = torch.randn(*tokens.shape, V)
        for number, line in enumerate(tokens.tolist()):
            real = tuple(token for token in line if token != PAD)
            scores[number, : len(real)] = self.row(number, real)
        return scores


def plain(toy: Toy, row: int, length: int, iterations: int) -> Found:
    """The paper's section 3.1 of one row and length, in plain loops."""
    count, allowed = length - 1, [token for token in range(V) if token not in {PAD, UNKNOWN, BOS, EOS}]
    words, certain, first = [UNKNOWN] * count, [0.0] * count, None
    for done in range(iterations):
        again = range(count)
        if done:
            again = sorted(again, key=lambda i: certain[i])[: count * (iterations - done) // iterations]
        seen = (UNKNOWN if i in again else words[i] for i in range(count))
        scores = toy.row(row, (*seen, EOS)).log_softmax(-1)
        first = scores if first is None else first
        for i in again:
            words[i] = max(allowed, key=lambda token: float(scores[i, token]))
            certain[i] = float(scores[i, words[i]])
    assert first is not None
    likely = float(toy.of_length[row, length])
    score = likely + sum(float(first[i, word]) for i, word in enumerate(words))
    return Found(tuple(words), score, (likely + sum(certain)) / length, finished=True)


def run(toy: Toy, limits: list[int], slots: SlotConstraint | None = None, **settings: int) -> list[list[Found]]:
    config = DecodingConfig(search="mask-predict", **settings)
    return mask_predict(
        toy,
        config,
        unknown=UNKNOWN,
        eos=EOS,
        banned=(PAD, UNKNOWN, BOS),
        max_lengths_B=torch.tensor(limits),
        slots=slots,
    )


@pytest.mark.parametrize("iterations", [1, 2, 3, 7])
def test_it_finds_what_plain_loops_find(iterations: int) -> None:
    toy, limits = Toy(5), [8, 3, 7, 8, 1]
    found = run(toy, limits, iterations=iterations, lengths=3, n_best=3)
    for row, limit in enumerate(limits):
        likeliest = sorted(range(1, limit + 1), key=lambda n: -float(toy.of_length[row, n]))[:3]
        wanted = sorted((plain(toy, row, n, iterations) for n in likeliest), key=lambda one: -one.normalised)
        assert [one.tokens for one in found[row]] == [one.tokens for one in wanted]
        for one, other in zip(found[row], wanted, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)  # float32 sums
            assert one.normalised == pytest.approx(other.normalised, abs=1e-4)
            assert one.finished


def test_the_best_of_several_lengths_comes_first_and_no_more_than_asked_for() -> None:
    every = run(Toy(4), [8] * 4, lengths=8, n_best=8)
    assert [len(row) for row in every] == [8] * 4
    assert [row[:2] for row in every] == run(Toy(4), [8] * 4, lengths=8, n_best=2)
    for row in every:
        assert [one.normalised for one in row] == sorted((one.normalised for one in row), reverse=True)


def test_each_pass_asks_for_fewer_and_the_first_for_all() -> None:
    toy = Toy(1)
    toy.of_length[:] = -9.0
    toy.of_length[:, 8] = -0.1
    run(toy, [8], iterations=7, lengths=1)
    assert [int((asked == UNKNOWN).sum()) for asked in toy.asked] == [7, 6, 5, 4, 3, 2, 1]


def test_other_rows_change_nothing() -> None:
    toy = Toy(3)
    together = run(toy, [8, 5, 7], lengths=2)
    for row, limit in enumerate([8, 5, 7]):
        alone = Toy(3)
        alone.rows, alone.base, alone.pull = 1, toy.base[row : row + 1], toy.pull[row : row + 1]
        alone.of_length = toy.of_length[row : row + 1]
        assert run(alone, [limit], lengths=2)[0][0].tokens == together[row][0].tokens


def test_repeated_tokens_stay() -> None:
    toy = Toy(1)
    toy.base[:], toy.pull[:] = 0.0, 0.0
    toy.base[..., 9] = 5.0
    toy.of_length[:, 5] = 0.0
    assert run(toy, [8], lengths=1)[0][0].tokens == (9, 9, 9, 9)


def required(*rows: list[int]) -> SlotConstraint:
    return SlotConstraint.of(rows, first=FIRST_SLOT, count=SLOTS, eos=EOS)


@pytest.mark.parametrize("iterations", [1, 4])
def test_slots_are_written_just_as_often_as_they_are_required(iterations: int) -> None:
    wanted: list[list[int]] = [[], [4], [5, 4, 5], [4, 4, 5, 5, 5, 5, 5]]
    for row in run(Toy(4), [8] * 4, slots=required(*wanted), iterations=iterations, lengths=3, n_best=3):
        assert row
    for slots, row in zip(wanted, run(Toy(4), [8] * 4, slots=required(*wanted), lengths=3, n_best=3), strict=True):
        for one in row:
            assert sorted(token for token in one.tokens if token in {4, 5}) == sorted(slots)


def test_slots_stand_in_the_likeliest_places() -> None:
    """One pass beside all ways there are to place them."""
    toy, wanted = Toy(1, seed=3), (4, 5, 5)
    toy.of_length[:, 6] = 0.0
    [[found]] = run(toy, [8], slots=required(list(wanted)), iterations=1, lengths=1)
    scores = toy.row(0, (UNKNOWN,) * 5 + (EOS,)).log_softmax(-1)
    rest = scores[:, 6:].max(1).values
    best = max(
        sum(float(scores[i, placed[i]]) if i in placed else float(rest[i]) for i in range(5))
        for where in itertools.permutations(range(5), 3)
        for placed in [dict(zip(where, wanted, strict=True))]
    )
    assert found.score == pytest.approx(best, abs=1e-4)
    assert found.tokens != tuple(int(scores[i].argmax()) for i in range(5))


def test_slots_without_room_are_refused() -> None:
    with pytest.raises(ModelError, match="row 1 has 3 placeholders to write but a maximum length of 3 tokens"):
        run(Toy(2), [8, 3], slots=required([4], [4, 4, 5]))


def test_scores_that_are_not_finite_are_refused() -> None:
    toy = Toy(2)
    toy.base[1] = float("nan")
    with pytest.raises(ModelError, match="scores are not finite in 1 of 2 rows"):
        run(toy, [8, 8])


def test_no_rows_give_nothing() -> None:
    assert run(Toy(0), []) == []
