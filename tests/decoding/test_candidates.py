from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.decoding.candidates import NEVER, best, log_total
from endash.errors import ModelError


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 4),
    st.integers(1, 5),
    st.sampled_from([1, 3, 40, 1024, 1500, 2049, 3333]),
    st.integers(1, 60),
    st.data(),
)
def test_the_best_are_those_of_a_full_sort(
    rows: int, beams: int, vocabulary: int, count: int, data: st.DataObject
) -> None:
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 999)))
    scores = torch.randn(rows, beams, vocabulary, generator=generator)
    scores[torch.rand(scores.shape, generator=generator) < data.draw(st.sampled_from([0.0, 0.5, 0.999]))] = NEVER
    offsets = torch.randn(rows, beams, generator=generator)
    offsets[torch.rand(offsets.shape, generator=generator) < 0.2] = NEVER
    found = best(scores.clone(), offsets, count)
    full = (scores + offsets[..., None]).flatten(1).sort(dim=1, descending=True).values[:, :count]
    kept = full.shape[1]
    assert torch.equal(found.scores[:, :kept], full)
    assert bool((found.scores[:, kept:] == NEVER).all())
    for row in range(rows):
        real = [
            (beam, token)
            for score, beam, token in zip(found.scores[row], found.beams[row], found.tokens[row], strict=True)
            if score > NEVER
        ]
        assert len({(int(beam), int(token)) for beam, token in real}) == len(real)
    total = scores + offsets[..., None]
    if rows and kept == count:
        at = (torch.arange(rows)[:, None], found.beams, found.tokens)
        real_BC = found.scores > NEVER  # what is not there points anywhere
        assert torch.equal(total[at][real_BC], found.scores[real_BC])


@pytest.mark.parametrize("shift", [0.0, -60.0, 60.0, 90.0, -120.0, 3e4, -3e4])
def test_the_total_is_right_at_every_size_of_score(shift: float) -> None:
    scores = 4 * torch.randn(5, 3, 9000, generator=torch.Generator().manual_seed(0))
    scores[1] += shift
    exact = scores.double().logsumexp(-1)
    # a float32 of the size of the result has this much room: 2 units in the last place
    assert torch.all((log_total(scores) - exact).abs() <= 2.4e-7 * exact.abs().clamp(min=8.0))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_total_that_is_not_finite_is_refused(broken: float) -> None:
    scores = torch.zeros(4, 2, 30)
    scores[1, 1, 7] = scores[3, 0, 0] = broken
    with pytest.raises(ModelError, match=r"not finite in 2 of 4 rows of the batch \(first: row 1\)"):
        log_total(scores)


def test_no_scores_at_all_are_refused() -> None:
    with pytest.raises(ModelError, match="not finite in 1 of 1 rows"):
        log_total(torch.full((1, 2, 5), NEVER))
