from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import BOS, EOS, PAD, Toy, exhaustive

from endash.decoding.config import DecodingConfig
from endash.decoding.processors import BanTokens, MinLength, NoRepeat, Processor, Progress, SlotConstraint
from endash.decoding.search import search
from endash.errors import ModelError

FIRST, COUNT = 5, 4
CONFIGS = [DecodingConfig(beam=1), DecodingConfig(beam=4, n_best=3), DecodingConfig(search="sample", n_best=3)]


def run(toy: Toy, config: DecodingConfig, limits: list[int], *processors: Processor):  # type: ignore[no-untyped-def]
    return search(toy, config, bos=BOS, eos=EOS, max_lengths_B=torch.tensor(limits), processors=processors)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), slots=st.lists(st.lists(st.integers(FIRST, 8), max_size=4), min_size=1, max_size=9))
def test_exactly_the_slots_of_the_source_are_written(config: DecodingConfig, seed: int, slots: list[list[int]]) -> None:
    toy = Toy.random(len(slots), 12, seed)
    limits = [len(row) + 1 + seed % 3 for row in slots]
    constraint = SlotConstraint.of(slots, first=FIRST, count=COUNT, eos=EOS)
    for row, hypotheses in enumerate(run(toy, config, limits, BanTokens([PAD, BOS]), constraint)):
        for found in hypotheses:
            written = Counter(token for token in found.tokens if FIRST <= token < FIRST + COUNT)
            assert written == Counter(slots[row])
            assert not {PAD, BOS} & set(found.tokens)


@pytest.mark.parametrize("slots", [[], [3], [3, 4], [4, 4, 4]])
def test_nothing_that_the_slots_allow_is_lost(slots: list[int]) -> None:
    """A wide beam finds what exhaustive search finds among the targets with these slots."""
    toy, limit = Toy.random(1, 5, seed=3), 5
    allowed = [
        (score, tokens)
        for score, tokens in exhaustive(toy, 0, limit, 1.0)
        if sorted(token for token in tokens if token >= 3) == slots
    ]
    constraint = SlotConstraint.of([slots], first=3, count=2, eos=EOS)
    (found,) = run(toy, DecodingConfig(beam=700, n_best=700), [limit], constraint)
    assert [hypothesis.tokens for hypothesis in found] == [tokens for _, tokens in allowed]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_constrained_score_is_still_the_model_s_own(config: DecodingConfig) -> None:
    toy = Toy.random(3, 12)
    constraint = SlotConstraint.of([[5], [6, 6], []], first=FIRST, count=COUNT, eos=EOS)
    for row, hypotheses in enumerate(run(toy, config, [6] * 3, BanTokens([PAD]), constraint)):
        for found in hypotheses:
            # 1e-4: float32 sums of 6 log-probabilities
            assert found.score == pytest.approx(toy.log_probability(row, found.tokens, found.finished), abs=1e-4)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_minimum_length_is_kept_where_there_is_room(config: DecodingConfig) -> None:
    toy = Toy.random(4, 9)
    toy.tables[..., EOS] += 5
    for hypotheses in run(toy, config, [9, 9, 9, 9], MinLength(4, EOS)):
        assert all(len(found.tokens) >= 4 for found in hypotheses)
    for hypotheses in run(toy, config, [3, 3, 3, 3], MinLength(4, EOS)):
        assert all(len(found.tokens) >= 2 for found in hypotheses)


def test_more_slots_than_room_are_refused() -> None:
    constraint = SlotConstraint.of([[5], [6, 7, 7]], first=FIRST, count=COUNT, eos=EOS)
    with pytest.raises(ModelError, match=r"row 1 has 3 placeholders to write but a maximum length of 3 tokens"):
        run(Toy.random(2, 9), CONFIGS[0], [3, 3], constraint)


def test_a_token_that_is_no_slot_is_refused() -> None:
    with pytest.raises(ModelError, match="token 9 of row 1 is no slot: slots are 5 to 8"):
        SlotConstraint.of([[5], [9]], first=FIRST, count=COUNT, eos=EOS)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_processors_that_ban_everything_are_refused(config: DecodingConfig) -> None:
    with pytest.raises(ModelError, match="row 0: the processors ban every token"):
        run(Toy.random(2, 9), config, [3, 3], BanTokens(range(9)))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), length=st.integers(2, 3))
def test_no_stretch_is_written_twice(config: DecodingConfig, seed: int, length: int) -> None:
    toy = Toy.random(4, 6, seed)
    rule = NoRepeat.of(4, length=length, spared=range(0))
    for hypotheses in run(toy, config, [14, 3, 9, 14], BanTokens([PAD, BOS]), rule):
        for found in hypotheses:
            stretches = list(zip(*(found.tokens[start:] for start in range(length)), strict=False))
            assert len(stretches) == len(set(stretches))


def test_spared_tokens_may_be_written_again() -> None:
    rule = NoRepeat(2, range(5, 6), torch.tensor([[[4, 5, 4], [4, 7, 4], [4, 6, 7]]]))
    scores = rule(torch.zeros(1, 3, 8), Progress(3, torch.tensor([4])))
    assert (scores == 0).logical_not().nonzero().tolist() == [[0, 1, 7]]


def test_a_rule_against_repetition_follows_its_beams() -> None:
    rule = NoRepeat.of(2, length=2, spared=range(0))
    rule = rule.advance(torch.zeros(2, 2, dtype=torch.int64), torch.tensor([[4, 5], [6, 7]]))
    rule = rule.advance(torch.tensor([[1, 0], [1, 1]]), torch.tensor([[1, 2], [3, 4]]))
    assert rule.written.tolist() == [[[5, 1], [4, 2]], [[7, 3], [7, 4]]]
    assert rule.select(torch.tensor([1])).written.tolist() == [[[7, 3], [7, 4]]]
