"""What holds of every noise: the text can be told again, the rates are those asked for, nothing grows too long."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from endash.errors import RecipeError
from endash.objectives.noise import Noise, Symbols, generator, noises
from endash.objectives.noise.spans import drawn_count, placed, poisson_parts, random_parts
from endash.text.tokenizer import FIRST_SLOT, SLOTS, UNK

FIRST_WORD = FIRST_SLOT + SLOTS
STOP, WIDE_STOP, BRACKET = range(FIRST_WORD, FIRST_WORD + 3)
SIZE = 200


def symbols(slots: int = SLOTS) -> Symbols:
    """Of a made vocabulary: a full stop, a Chinese one, a bracket, words with a space before them, and from 150 on such without."""
    ids = np.arange(SIZE)
    stops = np.where(ids == STOP, 1, np.where(ids == WIDE_STOP, 2, 0)).astype(np.int8)
    sentinels = np.arange(FIRST_SLOT, FIRST_SLOT + slots)[::-1]
    return Symbols(sentinels, UNK, stops, ids == BRACKET, (ids > BRACKET) & (ids < 150))


def made(kind: str, **settings: object) -> Noise:
    return noises.build(noises.config(kind).model_validate_json(json.dumps(settings)), symbols())


def tokens(*ids: int) -> NDArray[np.int64]:
    return np.array(ids, dtype=np.int64)


def text(count: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(FIRST_WORD, SIZE, count)


ALL = {
    "span-corruption": {},
    "infilling": {},
    "permutation": {},
    "masked": {},
    "causal": {},
    "mixture": {"noises": [{"kind": "masked"}, {"kind": "span-corruption", "rate": 0.5}, {"kind": "causal"}]},
}
each = pytest.mark.parametrize("kind", ALL)
texts = st.lists(st.integers(FIRST_WORD, SIZE - 1), max_size=90).map(lambda ids: tokens(*ids))
with_slots = st.lists(st.integers(FIRST_SLOT, SIZE - 1), max_size=60).map(lambda ids: tokens(*ids))
seeds = st.integers(0, 2**31)
rates = st.floats(0.01, 0.99)
means = st.floats(1, 12)


def test_all_kinds_are_tested() -> None:
    assert list(ALL) == sorted(ALL, key=list(ALL).index)
    assert set(ALL) == set(noises)


@each
@given(original=with_slots, seed=seeds)
def test_no_side_grows_and_the_given_text_stays(kind: str, original: NDArray[np.int64], seed: int) -> None:
    before = original.copy()
    noise = made(kind, **ALL[kind])
    source, target = noise.corrupt(original, np.random.default_rng(seed))
    assert len(source) <= len(original)
    assert len(target) <= (2 if len(original) == 1 else len(original))
    assert source.dtype == target.dtype == np.int64
    np.testing.assert_array_equal(original, before)
    noise.shortfall(original)


@each
def test_it_is_the_same_for_a_seed_an_epoch_and_a_row(kind: str) -> None:
    noise, original = made(kind, **ALL[kind]), text(60)

    def drawn(seed: int, epoch: int, row: int) -> list[list[int]]:
        return [side.tolist() for side in noise.corrupt(original, generator(seed, epoch=epoch, row=row))]

    assert drawn(1, 2, 3) == drawn(1, 2, 3)
    if kind != "causal":
        others = [drawn(1, 2, row) for row in range(20)], [drawn(1, epoch, 3) for epoch in range(20)]
        assert all(any(one != other[0] for one in other) for other in others)


def rebuilt_from_spans(source: NDArray[np.int64], target: NDArray[np.int64], sentinels: list[int]) -> list[int]:
    """The text: each sentinel of the source exchanged for what follows it in the target."""
    spans: dict[int, list[int]] = {}
    for token in target.tolist():
        if token in sentinels:
            assert token not in spans
            spans[token] = last = []
        else:
            last.append(token)
    assert all(spans.values())
    asked = [token for token in source.tolist() if token in sentinels]
    assert asked == list(spans) == sentinels[: len(asked)]
    assert not any(one in sentinels and other in sentinels for one, other in pairwise(source.tolist())), (
        "spans are apart"
    )
    return [word for token in source.tolist() for word in spans.get(token, [token])]


@given(original=texts, seed=seeds, rate=rates, mean_span=means)
def test_span_corruption_leaves_out_what_its_target_tells(
    original: NDArray[np.int64], seed: int, rate: float, mean_span: float
) -> None:
    noise = made("span-corruption", rate=rate, mean_span=mean_span)
    source, target = noise.corrupt(original, np.random.default_rng(seed))
    assert rebuilt_from_spans(source, target, symbols().sentinels.tolist()) == original.tolist()
    assert len(original) == 0 or len(target) >= 2


@given(original=with_slots, seed=seeds)
def test_a_placeholder_of_the_text_is_no_sentinel(original: NDArray[np.int64], seed: int) -> None:
    source, target = made("span-corruption").corrupt(original, np.random.default_rng(seed))
    free = [slot for slot in symbols().sentinels.tolist() if slot > max([0, *original[original < FIRST_WORD].tolist()])]
    if free:
        assert rebuilt_from_spans(source, target, free) == original.tolist()
    else:
        assert (source.tolist(), target.tolist()) == (original.tolist(), [])


def test_more_spans_than_slots_lower_the_rate_and_are_told() -> None:
    noise = made("span-corruption")
    assert noise.shortfall(text(640)) is None
    long, crowded = text(1000), tokens(FIRST_SLOT + SLOTS - 2, *text(200))
    for original, free in ((long, 32), (crowded, 1), (tokens(FIRST_SLOT + SLOTS - 1), 0)):
        source, target = noise.corrupt(original, np.random.default_rng(0))
        assert "fewer tokens are left out" in str(noise.shortfall(original))
        assert len(target) == 4 * free, "the spans are as long as asked"
        assert len(source) == len(original) - 2 * free


@given(original=texts, seed=seeds, rate=rates, mean_span=means)
def test_infilling_puts_a_mask_for_any_stretch(
    original: NDArray[np.int64], seed: int, rate: float, mean_span: float
) -> None:
    source, target = made("infilling", rate=rate, mean_span=mean_span).corrupt(original, np.random.default_rng(seed))
    assert target.tolist() == original.tolist()
    assert fits(source.tolist(), original.tolist())
    assert len(original) == 0 or UNK in source


def fits(pattern: list[int], whole: list[int]) -> bool:
    """True if the pattern is the text with a mask in it for any stretch, be it empty. By dynamic programming over both."""
    reached = {0}
    for symbol in pattern:
        if symbol == UNK:
            reached = set(range(min(reached), len(whole) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if at < len(whole) and whole[at] == symbol}
    return len(whole) in reached


@given(original=texts, seed=seeds, rate=rates)
def test_masked_tokens_are_told_in_their_order(original: NDArray[np.int64], seed: int, rate: float) -> None:
    source, target = made("masked", rate=rate).corrupt(original, np.random.default_rng(seed))
    assert (source == UNK).sum() == len(target)
    source[source == UNK] = target
    assert source.tolist() == original.tolist()


@given(original=texts, seed=seeds)
def test_permutation_keeps_sentences_whole(original: NDArray[np.int64], seed: int) -> None:
    source, target = made("permutation").corrupt(original, np.random.default_rng(seed))
    assert target.tolist() == original.tolist()
    sentences = [one.tolist() for one in symbols().sentences(original)]
    assert list(chain(*sentences)) == original.tolist()
    left = source.tolist()
    while left:  # the longest that it begins with, so that one which is the beginning of another is not taken for it
        fitting = max((one for one in sentences if left[: len(one)] == one), key=len)
        sentences.remove(fitting)
        left = left[len(fitting) :]
    assert not any(sentences)


def test_sentences_end_where_a_space_follows_a_stop() -> None:
    word, inner = 100, 160
    given = [
        [word, STOP, inner, STOP],
        [word, WIDE_STOP],
        [inner, STOP, BRACKET, BRACKET],
        [word, WIDE_STOP, BRACKET],
        [inner],
    ]
    assert [one.tolist() for one in symbols().sentences(tokens(*chain(*given)))] == given


def test_permutation_draws_every_order_and_tells_of_one_sentence() -> None:
    noise, three = made("permutation"), tokens(100, STOP, 101, STOP, 102)
    orders = {tuple(noise.corrupt(three, np.random.default_rng(seed))[0].tolist()) for seed in range(60)}
    assert len(orders) == 6
    assert noise.shortfall(three) is None
    assert noise.shortfall(tokens(100, STOP)) == "of one sentence: there is no other order"


def test_causal_has_an_empty_source() -> None:
    source, target = made("causal").corrupt(text(7), np.random.default_rng(0))
    assert (len(source), target.tolist()) == (0, text(7).tolist())


@pytest.mark.parametrize("kind", ["span-corruption", "infilling", "masked"])
@pytest.mark.parametrize("count", [11, 90])
def test_the_rate_is_the_one_asked_for(kind: str, count: int) -> None:
    """Over 2,000 texts; 0.25 of 11 tokens is no whole number. The mean of a count rounded at random is off by 0.02 at most."""
    noise = made(kind, rate=0.25)
    hidden = 0
    for seed in range(2000):
        source, _ = noise.corrupt(text(count), np.random.default_rng(seed))
        hidden += count - int((source >= FIRST_WORD).sum())
    assert hidden / 2000 / count == pytest.approx(0.25, abs=0.02 / 11)


def test_spans_are_as_long_as_asked_on_average() -> None:
    noise = made("span-corruption", rate=0.3, mean_span=2.5)
    sizes = [len(noise.corrupt(text(50), np.random.default_rng(seed))[1]) for seed in range(2000)]
    assert np.mean(sizes) == pytest.approx(15 + 15 / 2.5, abs=0.05)


def test_infilling_draws_poisson_lengths() -> None:
    """Of 20,000 tokens in one: the last span alone is cut. P(0) = e⁻³; three standard errors of some 6,700 draws are 0.008."""
    lengths = poisson_parts(20_000, 3.0, np.random.default_rng(0))
    assert lengths.sum() == 20_000
    assert lengths.mean() == pytest.approx(3, abs=0.07)
    assert (lengths == 0).mean() == pytest.approx(np.exp(-3), abs=0.008)


@given(total=st.integers(1, 40), mean=means, seed=seeds)
def test_poisson_parts_add_up(total: int, mean: float, seed: int) -> None:
    lengths = poisson_parts(total, mean, np.random.default_rng(seed))
    assert lengths.sum() == total
    assert lengths.min() >= 0
    assert len(lengths) <= total


def test_each_row_of_parts_and_each_place_is_as_likely() -> None:
    """Chi-square: ten rows of three parts of 6, ten places of spans of 1 and 2 among 3 tokens; 5,000 draws, 99.99 % below 34."""

    def uneven(draw: Callable[[np.random.Generator], NDArray[np.generic]]) -> float:
        found: dict[tuple[object, ...], int] = {}
        for seed in range(5000):
            key = tuple(draw(np.random.default_rng(seed)).tolist())
            found[key] = found.get(key, 0) + 1
        assert len(found) == 10
        return sum((count - 500) ** 2 / 500 for count in found.values())

    assert uneven(lambda random: random_parts(6, 3, random)) < 34
    assert uneven(lambda random: placed(tokens(1, 2), 6, random, apart=False)[1]) < 34


def test_spans_apart_have_a_token_between_them() -> None:
    for seed in range(200):
        inside, before = placed(tokens(2, 1, 1), 7, np.random.default_rng(seed), apart=True)
        assert inside.sum() == 4
        assert (np.diff(before) >= 1).all()
        assert (np.diff(inside.astype(int)) == 1).sum() + inside[0] == 3


def test_counts_are_rounded_at_random_and_never_nothing() -> None:
    random = np.random.default_rng(0)
    assert {drawn_count(2.5, random) for _ in range(50)} == {2, 3}
    assert {drawn_count(3.0, random) for _ in range(50)} == {3}
    assert {drawn_count(0.2, random) for _ in range(50)} == {1}


@each
def test_a_text_of_one_token(kind: str) -> None:
    one, slot = tokens(100), FIRST_SLOT + SLOTS - 1
    expected = {
        "span-corruption": ([slot], [slot, 100]),
        "infilling": ([UNK], [100]),
        "permutation": ([100], [100]),
        "masked": ([UNK], [100]),
        "causal": ([], [100]),
    }
    for seed in range(20):
        source, target = made(kind, **ALL[kind]).corrupt(one, np.random.default_rng(seed))
        found = source.tolist(), target.tolist()
        assert found in (expected.values() if kind == "mixture" else [expected[kind]])


def test_a_mixture_draws_each_by_its_share() -> None:
    """4,000 draws; three standard errors are 0.02."""
    parts = [{"kind": "causal"}, {"kind": "masked"}, {"kind": "permutation"}]
    for shares, expected in (((1.0, 2.0, 5.0), 0.125), ((), 1 / 3)):
        noise = made("mixture", noises=parts, shares=shares)
        drawn = [noise.corrupt(text(9), np.random.default_rng(seed))[0] for seed in range(4000)]
        assert np.mean([len(source) == 0 for source in drawn]) == pytest.approx(expected, abs=0.025)
        assert np.mean([UNK in source for source in drawn]) == pytest.approx(
            shares[1] / 8 if shares else 1 / 3, abs=0.025
        )


def test_a_mixture_tells_what_its_parts_do() -> None:
    noise = made("mixture", noises=[{"kind": "causal"}, {"kind": "permutation"}])
    assert noise.shortfall(text(1)) == "of one sentence: there is no other order"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noises": []}, "at least 1"),
        ({"noises": [{"kind": "causal"}], "shares": [1.0, 2.0]}, "2 shares for 1 noises: give one for each"),
        ({"noises": [{"kind": "causal"}], "shares": [0.0]}, "greater than 0"),
        ({"noises": [{"kind": "casual"}]}, "casual"),
    ],
)
def test_mixtures_that_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noises.config("mixture").model_validate_json(json.dumps(settings))


def test_an_unknown_noise_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'infilling'"):
        noises["infiling"]
