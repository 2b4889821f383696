from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from toy import BOS, EOS, Toy

from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.decoding.sample import draw
from endash.decoding.search import search


def run(toy: Toy, limits: list[int], rows: list[int] | None = None, **settings: Any) -> list[list[Found]]:
    config = DecodingConfig(search="sample", **settings)
    return search(toy, config, bos=BOS, eos=EOS, max_lengths_B=torch.tensor(limits), rows=rows)


def test_a_row_s_samples_depend_on_the_seed_and_its_number_alone() -> None:
    toy, limits = Toy.random(12, 15), [2 + row for row in range(12)]
    together = run(toy, limits, n_best=3, seed=4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1)).tolist()
    mixed = run(Toy(toy.tables[order]), [limits[row] for row in order], order, n_best=3, seed=4)
    assert mixed == [together[row] for row in order]
    assert run(Toy(toy.tables[[5]]), [limits[5]], [5], n_best=3, seed=4) == [together[5]]
    assert run(toy, limits, n_best=3, seed=5) != together
    assert run(Toy(toy.tables[:1].expand(2, -1, -1, -1)), [9, 9])[0] != run(toy, limits)[1]


def test_fewer_samples_are_the_first_of_more() -> None:
    toy, limits = Toy.random(3, 15), [8, 8, 8]
    assert run(toy, limits, n_best=2) == [row[:2] for row in run(toy, limits, n_best=5)]


def test_scores_are_the_model_s_own_whatever_the_temperature() -> None:
    toy = Toy.random(4, 10)
    for row, samples in enumerate(run(toy, [8] * 4, n_best=3, temperature=2.5, top_k=6)):
        for found in samples:
            # 1e-4: float32 sums of 8 log-probabilities
            assert found.score == pytest.approx(toy.log_probability(row, found.tokens, found.finished), abs=1e-4)


def test_samples_have_the_distribution_of_the_model() -> None:
    """The share of each first token, within 5 standard deviations of a binomial of 20,000 draws (at most 0.018)."""
    toy = Toy.random(1, 6, spread=1)
    first = Counter(found.tokens[:1] for found in run(toy, [2], n_best=20_000, temperature=1.5)[0])
    expected = (toy.tables[0, 0, BOS] / 1.5).softmax(-1)
    for token in range(6):
        share = first[() if token == EOS else (token,)] / 20_000
        assert share == pytest.approx(float(expected[token]), abs=0.018)


def _drawn(share: list[float], **settings: Any) -> set[int]:
    scores = torch.tensor(share).log()[None, None]
    noise = torch.linspace(0, 1, 1001, dtype=torch.float64)[None, :-1]
    return set(draw(scores, noise, DecodingConfig(search="sample", **settings)).flatten().tolist())


def test_top_k_and_top_p_cut_the_distribution() -> None:
    share = [0.05, 0.4, 0.0, 0.3, 0.25]
    assert _drawn(share) == {0, 1, 3, 4}
    assert _drawn(share, top_k=2) == {1, 3}
    assert _drawn(share, top_k=99) == {0, 1, 3, 4}
    assert _drawn(share, top_p=0.39) == {1}
    assert _drawn(share, top_p=0.69) == {1, 3}
    assert _drawn(share, top_p=0.71) == {1, 3, 4}
    assert _drawn(share, top_p=1.0) == {0, 1, 3, 4}
    assert _drawn(share, top_k=3, top_p=0.7) == {1, 3}  # of the three that are left, 0.4 and 0.3 are 0.74 of the mass


@pytest.mark.parametrize("top_p", [0.3, 0.9, 0.99999])
@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_top_p_is_exact_in_a_large_vocabulary(top_p: float, spread: float) -> None:
    """However many tokens the mass takes: from one to nearly all of 2,000."""
    scores = spread * torch.randn(3, 1, 2000, generator=torch.Generator().manual_seed(0))
    share, order = scores[:, 0].double().softmax(-1).sort(dim=-1, descending=True)
    noise = torch.rand(3, 500, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = draw(scores, noise, DecodingConfig(search="sample", n_best=500, top_p=top_p))
    for row in range(3):
        count = int((share[row].cumsum(-1) < top_p).sum()) + 1
        mass = share[row, :count].cumsum(-1)
        assert torch.equal(drawn[row], order[row, torch.searchsorted(mass, noise[row] * mass[-1], right=True)])


def test_a_low_temperature_is_greedy() -> None:
    toy = Toy.random(5, 10)
    greedy = search(toy, DecodingConfig(beam=1), bos=BOS, eos=EOS, max_lengths_B=torch.tensor([9] * 5))
    assert run(toy, [9] * 5, temperature=1e-3) == greedy
