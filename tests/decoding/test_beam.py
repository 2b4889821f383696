from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import BOS, EOS, Toy, exhaustive, plain_beam

from endash.decoding import beam as beam_module
from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.decoding.search import search
from endash.errors import ModelError

SAME = 1e-4  # float32 sums of at most 12 log-probabilities of some tens


def run(toy: Toy, limits: list[int], beam: int = 4, n_best: int = 1, alpha: float = 1.0) -> list[list[Found]]:
    config = DecodingConfig(beam=beam, n_best=n_best, length_penalty=alpha)
    return search(toy, config, bos=BOS, eos=EOS, max_lengths_B=torch.tensor(limits, dtype=torch.int64))


seeds = st.integers(0, 10_000)
alphas = st.sampled_from([0.0, 0.5, 1.0, 2.0])


def check_the_same(found: list[Found], best: list[tuple[float, tuple[int, ...]]]) -> None:
    """The same targets in the same order, but for those of one score: the same tokens in another order have it, say."""
    assert [hypothesis.normalised for hypothesis in found] == pytest.approx([score for score, _ in best], abs=SAME)
    assert len({hypothesis.tokens for hypothesis in found}) == len(found)
    scores = {tokens: score for score, tokens in best}
    last = min(scores.values())
    for hypothesis in found:
        assert hypothesis.normalised == pytest.approx(scores.get(hypothesis.tokens, last), abs=SAME)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, alpha=alphas, limits=st.lists(st.integers(1, 5), min_size=1, max_size=3), n_best=st.integers(1, 6))
def test_a_wide_beam_finds_what_exhaustive_search_finds(
    seed: int, alpha: float, limits: list[int], n_best: int
) -> None:
    toy = Toy.random(len(limits), 4, seed)
    for row, found in enumerate(run(toy, limits, beam=250, n_best=n_best, alpha=alpha)):
        best = exhaustive(toy, row, limits[row], alpha)[:n_best]
        check_the_same(found, best)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, alpha=alphas, limits=st.lists(st.integers(1, 12), min_size=1, max_size=9), beam=st.integers(2, 5))
def test_stopping_and_dropping_rows_change_nothing(seed: int, alpha: float, limits: list[int], beam: int) -> None:
    """Beside the definition of beam search, which knows no bound and no other rows."""
    toy = Toy.random(len(limits), 9, seed)
    for row, found in enumerate(run(toy, limits, beam=beam, n_best=beam, alpha=alpha)):
        best = plain_beam(toy, row, limits[row], alpha, beam)[:beam]
        if not best:
            assert not any(hypothesis.finished for hypothesis in found)
            continue
        check_the_same(found, best)


def test_a_row_goes_on_while_a_longer_target_could_be_better() -> None:
    """The empty target ends first, with -0.5; "4 5 6" is behind it at every length until it ends, with -1.2 / 4."""
    share = torch.full((1, 9, 9, 9), 1e-4)
    share[..., 0, BOS, EOS], share[..., 0, BOS, 4] = 0.6, 0.3
    share[..., BOS, 4, 5] = share[..., 4, 5, 6] = share[..., 5, 6, EOS] = 10.0
    toy = Toy(share.log())
    assert run(toy, [8], beam=2)[0][0].tokens == (4, 5, 6)
    assert run(toy, [8], beam=2, alpha=0.0)[0][0].tokens == ()
    assert len(toy.batches) < 8 + 8  # where length counts for nothing, the first end cannot be beaten


@pytest.mark.parametrize("beam", [1, 4])
def test_the_score_is_the_sum_of_the_steps(beam: int) -> None:
    toy = Toy.random(8, 12)
    limits = [7] * 8
    for row, (found, *_) in enumerate(run(toy, limits, beam=beam)):
        assert found.score == pytest.approx(toy.log_probability(row, found.tokens, found.finished), abs=SAME)
        assert found.normalised == pytest.approx(found.score / (len(found.tokens) + found.finished))


def test_n_best_is_sorted_and_distinct() -> None:
    toy = Toy.random(20, 30, spread=1)
    toy.tables[..., EOS] += 2
    for found in run(toy, [15] * 20, beam=6, n_best=6, alpha=0.6):
        normalised = [hypothesis.normalised for hypothesis in found]
        assert normalised == sorted(normalised, reverse=True)
        assert len({hypothesis.tokens for hypothesis in found}) == len(found) == 6


@pytest.mark.parametrize("beam", [1, 3])
def test_rows_do_not_depend_on_each_other(beam: int) -> None:
    toy, limits = Toy.random(17, 20), [3 + row % 9 for row in range(17)]
    together = run(toy, limits, beam=beam)
    order = torch.randperm(17, generator=torch.Generator().manual_seed(1)).tolist()
    assert run(Toy(toy.tables[order]), [limits[row] for row in order], beam=beam) == [together[row] for row in order]
    assert [run(Toy(toy.tables[[row]]), [limits[row]], beam=beam)[0] for row in range(17)] == together


@pytest.mark.parametrize("beam", [1, 3])
def test_finished_rows_leave_the_batch(beam: int, monkeypatch: pytest.MonkeyPatch) -> None:
    toy, limits = Toy.random(16, 20), [1 + row for row in range(16)]
    found = run(toy, limits, beam=beam)
    assert toy.batches[0] == 16
    assert toy.batches[-1] < 8
    for module in (beam_module, "endash.decoding.sample"):
        name = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f"{name}.DROP_SHARE", 1)
    kept = Toy(toy.tables)
    assert run(kept, limits, beam=beam) == found
    assert set(kept.batches) == {16}


def test_greedy_takes_the_likeliest_token_at_every_step() -> None:
    toy = Toy.random(6, 10)
    for row, (found,) in enumerate(run(toy, [8] * 6, beam=1)):
        path = [0, BOS]
        while len(path) < 10 and (path[-1] != EOS):
            path.append(int(toy.tables[row, path[-2], path[-1]].argmax()))
        assert found.finished == (path[-1] == EOS)
        assert found.tokens == tuple(path[2:-1] if found.finished else path[2:])


def test_a_target_that_never_ends_is_cut_and_says_so() -> None:
    toy = Toy.random(3, 8)
    toy.tables[1, ..., EOS] = -1e4
    found = run(toy, [6, 6, 6], beam=3, n_best=2)
    assert all(hypothesis.finished for row in (0, 2) for hypothesis in found[row])
    for hypothesis in found[1]:
        assert len(hypothesis.tokens) == 6
        assert not hypothesis.finished
        assert hypothesis.score == pytest.approx(toy.log_probability(1, hypothesis.tokens, finished=False), abs=SAME)


def test_a_vocabulary_smaller_than_the_candidates() -> None:
    found = run(Toy.random(2, 3), [4, 4], beam=10, n_best=10)
    assert [len(row) for row in found] == [10, 10]
    found = run(Toy.random(2, 3), [2, 2], beam=10, n_best=10)
    assert [len(row) for row in found] == [3, 3]  # "", "0" and "1": there is nothing else to return


@pytest.mark.parametrize("beam", [1, 5])
def test_no_rows(beam: int) -> None:
    assert run(Toy.random(0, 9), [], beam=beam) == []


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("beam", [1, 4])
def test_scores_that_are_not_finite_are_refused(beam: int, broken: float) -> None:
    toy = Toy.random(4, 9)
    toy.tables[2, ..., 5] = broken
    with pytest.raises(ModelError, match=r"scores are not finite in 1 of 4 rows of the batch \(first: row 2\)"):
        run(toy, [5] * 4, beam=beam)


@pytest.mark.parametrize("limits", [[3, 0], [3]])
def test_every_row_needs_a_maximum_length(limits: list[int]) -> None:
    with pytest.raises(ModelError, match="each of 2 rows needs a maximum length of at least 1"):
        run(Toy.random(2, 9), limits)
