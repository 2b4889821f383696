"""Which target tokens may be written for which source tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from endash.errors import ModelError
from endash.shortlist import Shortlist

EOS, SPECIAL, SIZE = 3, 5, 60
SIZES = (SIZE, SIZE)
THE, DIE, FIRST = 5, 6, 10  # a source word w, from 10 on, is translated by the target word w + 25


def translated(words: list[int]) -> tuple[list[int], list[int]]:
    """A sentence: each word with an article before it, the target in another order."""
    source = [token for word in words for token in (THE, word)]
    target = [token for word in reversed(words) for token in (DIE, word + 25)]
    return [*source, EOS], [*target, EOS]


def pairs(count: int = 80) -> list[tuple[list[int], list[int]]]:
    random = np.random.default_rng(0)
    return [translated(random.choice(np.arange(FIRST, FIRST + 20), 3, replace=False).tolist()) for _ in range(count)]


def learned(**settings: int | bool) -> Shortlist:
    return Shortlist.learn(pairs(), SIZES, special=SPECIAL, **{"common": 2, "per_token": 1, **settings})  # type: ignore[arg-type]


def test_a_token_s_list_is_its_translation_though_the_article_stands_beside_it_more_often() -> None:
    shortlist = learned(common=0)
    for word in range(FIRST, FIRST + 20):
        assert shortlist.of([word]).tolist() == [0, 1, 2, 3, 4, word + 25]
    assert shortlist.of([THE]).tolist() == [0, 1, 2, 3, 4, DIE]


def test_a_list_is_sorted_without_doubles_and_of_this_source_alone() -> None:
    shortlist = learned(per_token=3)
    both, one = shortlist.of([12, 11, 12, EOS]), shortlist.of([12])
    assert both.dtype == np.int32
    assert (np.diff(both) > 0).all()
    assert both.tolist() == shortlist.of([EOS, 12, 11]).tolist()
    assert set(one.tolist()) < set(both.tolist())


def test_special_tokens_and_the_commonest_are_in_every_list() -> None:
    assert learned().of([]).tolist() == [0, 1, 2, 3, 4, DIE]
    assert learned(common=0).of([59]).tolist() == [0, 1, 2, 3, 4]


def test_one_vocabulary_lets_every_token_be_copied() -> None:
    assert 59 in learned(shared=True).of([59])
    assert 59 not in learned().of([59])


def test_coverage_counts_the_target_tokens_that_may_be_written() -> None:
    shortlist = learned()
    assert shortlist.coverage(pairs()).share == 1.0
    source, target = translated([11])
    found = shortlist.coverage([(source, target), (source, [*target[:-1], 59, EOS])])
    assert found.share == 6 / 7
    assert found.size == len(shortlist.of(source))


def test_the_arrays_are_as_they_are_described() -> None:
    shortlist = learned(per_token=4, shared=True)
    arrays = (shortlist.common, shortlist.offsets, shortlist.tokens)
    assert [one.dtype for one in arrays] == [np.int32] * 3
    assert len(shortlist.offsets) == SIZE + 1
    assert shortlist.offsets[-1] == len(shortlist.tokens)
    assert not np.isin(shortlist.tokens, shortlist.common).any()


def test_nothing_to_learn_from_leaves_the_special_tokens() -> None:
    empty = Shortlist.learn([], SIZES, special=SPECIAL, common=0)
    assert empty.of([THE]).tolist() == [0, 1, 2, 3, 4]


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    shortlist = learned(per_token=4)
    shortlist.save(tmp_path / "s")
    loaded = Shortlist.load(tmp_path / "s", SIZES)
    for name in ("common", "offsets", "tokens"):
        assert np.array_equal(getattr(loaded, name), getattr(shortlist, name))


def test_what_is_no_shortlist_of_these_vocabularies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    learned(per_token=4).save(path)
    with pytest.raises(
        ModelError, match="no shortlist for vocabularies of 61 and 60 tokens: copy the whole model again"
    ):
        Shortlist.load(path, (SIZE + 1, SIZE))
    with pytest.raises(ModelError, match="no shortlist"):
        Shortlist.load(path, (SIZE, 20))
    sound = load_file(path)
    broken = {"tokens": sound["tokens"][::-1], "offsets": sound["offsets"][::-1], "common": sound["common"] + 0.5}
    for name, value in broken.items():
        save_file(sound | {name: np.ascontiguousarray(value)}, path)
        with pytest.raises(ModelError, match="no shortlist"):
            Shortlist.load(path, SIZES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError, match="not a whole shortlist"):
        Shortlist.load(path, SIZES)
