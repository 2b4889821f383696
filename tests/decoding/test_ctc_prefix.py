from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from toy import BOS, EOS, PAD, Toy

from endash.decoding.config import DecodingConfig
from endash.decoding.ctc import CtcPrefix
from endash.decoding.processors import BanTokens, Prefix, Progress
from endash.decoding.search import search

V = 5
LENGTHS = [4, 2, 0]
ROOM = Progress(0, torch.full((3,), 9))


def draw(lengths: Sequence[int] = LENGTHS, *, vocabulary: int = V, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(len(lengths), max(lengths), vocabulary, generator=generator)
    return scores.log_softmax(-1), torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


class Slow:
    """All targets of a row with their probability, by the sum over all alignments, in float64."""

    def __init__(self, log_probability_SV: Tensor, length: int) -> None:
        self.probability: dict[tuple[int, ...], float] = {}
        rows = log_probability_SV.double().exp().tolist()
        for alignment in itertools.product(range(len(rows[0])), repeat=length):
            target = tuple(token for token, _ in itertools.groupby(alignment) if token)
            whole = math.prod(rows[s][token] for s, token in enumerate(alignment))
            self.probability[target] = self.probability.get(target, 0.0) + whole

    def log(self, target: tuple[int, ...]) -> float:
        return _log(self.probability.get(target, 0.0))

    def log_prefix(self, prefix: tuple[int, ...]) -> float:
        return _log(sum(p for target, p in self.probability.items() if target[: len(prefix)] == prefix))


def _log(probability: float) -> float:
    return math.log(probability) if probability else -math.inf


def after(processor: CtcPrefix, tokens: Sequence[int]) -> CtcPrefix:
    rows = len(processor.lengths)
    for token in tokens:
        processor = processor.advance(torch.zeros(rows, 1, dtype=torch.int64), torch.full((rows, 1), token))
    return processor


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_each_token_costs_what_the_sums_over_alignments_say(share: float) -> None:
    scores, mask = draw()
    slow = [Slow(row, length) for row, length in zip(scores, LENGTHS, strict=True)]
    start = CtcPrefix.of(scores, mask, share=share, eos=EOS)
    words = [token for token in range(1, V) if token != EOS]
    for prefix in itertools.chain.from_iterable(itertools.product(words, repeat=length) for length in range(4)):
        cost = after(start, prefix)(torch.zeros(3, 1, V), ROOM)[:, 0]
        for row, one in enumerate(slow):
            before = one.log_prefix(prefix)
            if before == -math.inf:
                assert cost[row].tolist() == [0.0] * V  # it has no say
                continue
            wanted = [one.log_prefix((*prefix, token)) - before for token in range(V)]
            wanted[PAD], wanted[EOS] = -math.inf, one.log(prefix) - before
            weight = share / (1 - share)
            assert cost[row].tolist() == pytest.approx([weight * value for value in wanted], abs=1e-5)  # float32


def joint(toy: Toy, slow: Slow, row: int, limit: int, weight: float) -> list[tuple[float, tuple[int, ...]]]:
    """Every target of fewer than `limit` tokens by log p + w log p_ctc, best first."""
    words = [token for token in range(V) if token not in {PAD, BOS, EOS}]
    targets = itertools.chain.from_iterable(itertools.product(words, repeat=length) for length in range(limit))
    found = [(toy.log_probability(row, target) + weight * slow.log(target), target) for target in targets]
    return sorted((one for one in found if one[0] > -math.inf), reverse=True)


def test_a_wide_beam_finds_what_exhaustive_search_finds() -> None:
    lengths, limit, share = [4, 3, 1], 5, 0.4
    toy, (scores, mask) = Toy.random(3, V, seed=2), draw(lengths, seed=5)
    found = search(
        toy,
        DecodingConfig(beam=60, n_best=60, length_penalty=0.0),
        bos=BOS,
        eos=EOS,
        max_lengths_B=torch.full((3,), limit),
        processors=[BanTokens([PAD, BOS]), CtcPrefix.of(scores, mask, share=share, eos=EOS)],
    )
    for row, length in enumerate(lengths):
        wanted = joint(toy, Slow(scores[row], length), row, limit, share / (1 - share))
        assert [one.tokens for one in found[row]] == [tokens for _, tokens in wanted]
        # 1e-4: float32 sums of 5 numbers up to 20
        assert [one.score for one in found[row]] == pytest.approx([score for score, _ in wanted], abs=1e-4)


@given(st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(3, V - 1)), min_size=2, max_size=2), max_size=4))
@settings(max_examples=30, deadline=None)
def test_beams_go_on_from_their_parents(steps: list[list[tuple[int, int]]]) -> None:
    """Two beams, each of which goes on from one of the two before, are what following each alone gives."""
    scores, mask = draw([4])
    start = CtcPrefix.of(scores, mask, share=0.5, eos=EOS)
    both, written = start.advance(torch.zeros(1, 2, dtype=torch.int64), torch.tensor([[3, 4]])), [[3], [4]]
    for step in steps:
        parents, tokens = zip(*step, strict=True)
        both = both.advance(torch.tensor([parents]), torch.tensor([tokens]))
        written = [[*written[parent], token] for parent, token in step]
    found = both(torch.zeros(1, 2, V), ROOM)[0]
    for beam, tokens in enumerate(written):
        torch.testing.assert_close(found[beam], after(start, tokens)(torch.zeros(1, 1, V), ROOM)[0, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_probabilities_are_held_once_and_what_they_are_made_of_stays(dtype: torch.dtype) -> None:
    scores, mask = draw()
    scores, held = scores.to(dtype), list[Tensor]()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            held.extend([out] if isinstance(out, Tensor) and out.shape == scores.shape else [])
            return out

    before = scores.clone()
    with Watch():
        CtcPrefix.of(scores, mask, share=0.5, eos=EOS)
    assert len({one.data_ptr() for one in held}) == 1
    assert torch.equal(scores, before)


def test_padding_and_other_rows_change_nothing() -> None:
    scores, mask = draw()
    together = CtcPrefix.of(scores, mask, share=0.5, eos=EOS)
    noisy = CtcPrefix.of(scores.masked_fill(~mask[:, :, None], -0.1), mask, share=0.5, eos=EOS)
    alone = CtcPrefix.of(scores[1:2, :2], mask[1:2, :2], share=0.5, eos=EOS)
    for prefix in ((), (3,), (3, 3), (4, 3)):
        one, other = (after(it, prefix)(torch.zeros(3, 1, V), ROOM) for it in (together, noisy))
        assert torch.equal(one, other)
        # float64 sums of another order, then float32
        torch.testing.assert_close(one[1:2], after(alone, prefix)(torch.zeros(1, 1, V), ROOM))
        selected = after(together, prefix).select(torch.tensor([2, 1]))(torch.zeros(2, 1, V), ROOM)
        assert torch.equal(selected, one[[2, 1]])


def test_what_ctc_holds_impossible_can_still_be_made_to_be_written() -> None:
    """A prefix of more tokens than there are positions; behind it the decoder is alone, and nothing becomes NaN."""
    toy, (scores, mask) = Toy.random(1, V), draw([2])
    prefix = torch.tensor([[3, 3, 4, 4]])
    own = [BanTokens([PAD, BOS]), CtcPrefix.of(scores, mask, share=0.5, eos=EOS)]
    [[best]] = search(
        toy,
        DecodingConfig(beam=3),
        bos=BOS,
        eos=EOS,
        max_lengths_B=torch.tensor([9]),
        processors=[Prefix(tuple(own), prefix)],
    )
    assert best.tokens[:4] == (3, 3, 4, 4)
    assert math.isfinite(best.score)


def test_a_long_recording_that_is_sure_of_itself_loses_no_number() -> None:
    """A thousand positions, each sure of its token to e^-60, and targets that are as unlikely as that."""
    torch.manual_seed(0)
    heard = torch.zeros(1000, dtype=torch.int64)
    heard[::10] = torch.randint(3, 40, (100,))
    scores = torch.full((1, 1000, 40), -60.0)
    scores[0, torch.arange(1000), heard] = 0.0
    right = wrong = CtcPrefix.of(scores.log_softmax(-1), torch.ones(1, 1000) > 0, share=0.5, eos=EOS)
    for token in heard[::10].tolist():
        cost = right(torch.zeros(1, 1, 40), ROOM)[0, 0]
        assert cost[token].item() == pytest.approx(0.0, abs=1e-6)
        assert cost[1:].isfinite().all()
        assert sorted(cost.tolist())[-2] < -50
        right, wrong = after(right, [token]), after(wrong, [3 + token % 37])
        assert wrong(torch.zeros(1, 1, 40), ROOM)[0, 0, 1:].isfinite().all()
    assert right(torch.zeros(1, 1, 40), ROOM)[0, 0, EOS].item() == pytest.approx(0.0, abs=1e-6)
    assert wrong.prefix.item() < -1000
