from __future__ import annotations

import math

import numpy as np
import pytest

from endash.errors import CorpusError
from endash.evaluation.evaluate import evaluate
from endash.evaluation.metrics import NAMES, of_answers

MEANS = [[0.0, 1.0, 0.05], [0.0, -1.0, -0.05], [0.0, 3.0, 0.0]]
KL = [[0.1, 2.0, 0.0], [0.2, 1.0, 0.0], [0.3, 3.0, 0.0]]
LATENTS = np.stack([np.array(MEANS), np.array(KL)], axis=1)


def found(**changes):
    given = {"losses": [(10.0, 2), (20.0, 4), (30.0, 6)], "latents": LATENTS} | changes
    return evaluate(["a", "b", "c"], ["a", "b", "c"], metrics=["nll", "kl", "units"], confidence=True, **given)


def test_nats_are_means_over_records_and_units_those_that_vary():
    figures = found()
    assert [metric.value for metric in figures.metrics] == pytest.approx([20.0, 6.6 / 3, 1.0])
    assert figures["nll"].low < 20.0 < figures["nll"].high
    assert figures["units"].low is None
    assert "dimensions:3" in figures["units"].signature


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"losses": ()}, "nll is of a model's losses"), ({"latents": None}, "kl is of a model's latent vectors")],
)
def test_what_was_not_given_is_told(changes, told):
    with pytest.raises(CorpusError, match=told):
        found(**changes)


def test_latents_are_one_a_record():
    with pytest.raises(CorpusError, match="2 latents for 3 records"):
        found(latents=LATENTS[:2])


def test_a_training_goes_by_what_answers_tell():
    assert [name for name in NAMES if not of_answers(name)] == ["perplexity", "nll", "kl", "units"]
    assert math.isfinite(found()["kl"].value)
