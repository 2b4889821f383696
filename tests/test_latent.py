"""Texts from latent vectors, by a tiny model with random parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from endash import latent
from endash.errors import ModelError, TextError
from endash.model import Model
from endash.recipe import Recipe
from endash.text import Codec

TEXTS = [f"The {noun} is {state}." for noun in ("door", "light", "lock", "fan") for state in ("on", "off", "open")]
RECIPE = """
name = "tiny"
corpus = { train = { kind = "tsv", path = "pairs.tsv" } }
text = { size = 340, placeholders = false, max_length = 24 }
encoder = { kind = "variational", width = 4, encoder = { kind = "gru", width = 16, layers = 1 } }
link = { kind = "latent" }
decoder = { kind = "gru", width = 16, layers = 1 }
decoding = { beam = 2, max_ratio = 1.0, max_extra = 2 }
"""


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.train(lambda: ((text, text) for text in TEXTS), Recipe.parse(RECIPE).text)


def build(codec: Codec, *overrides: str) -> Model:
    torch.manual_seed(0)
    model = Model.build(Recipe.parse(RECIPE, overrides), codec)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(3)  # a vector then changes what is written
    return model


@pytest.fixture(scope="module")
def model(codec: Codec) -> Model:
    return build(codec)


def test_a_sample_depends_on_its_seed_and_number(model: Model) -> None:
    some = model.sample(6, seed=1)
    assert len(set(some)) > 1
    assert model.sample(6, seed=1) == some
    assert model.sample(3, seed=1) == some[:3]
    assert model.sample(6, seed=2) != some
    assert model.sample(0, seed=1) == []


def test_the_vectors_are_those_of_the_prior(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[torch.Tensor] = []
    monkeypatch.setattr(latent, "write", lambda _, z: drawn.append(z))
    model.sample(5000, seed=1)
    # 20,000 numbers: 5 standard errors of their mean and deviation
    assert drawn[0].shape == (5000, 4)
    assert drawn[0].mean().item() == pytest.approx(0, abs=0.035)
    assert drawn[0].std().item() == pytest.approx(1, abs=0.025)


def test_a_sample_may_be_as_long_as_the_model_s_texts(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    search = model.search

    def watched(memory: Any, config: Any) -> Any:
        limits.append(config.max_length(0))
        return search(memory, config)

    monkeypatch.setattr(model, "search", watched)
    model.sample(1, seed=1)
    model.sample(1, seed=1, max_extra=3)
    assert limits == [24, 3]


def test_a_way_begins_and_ends_with_what_the_model_makes_of_the_texts(model: Model) -> None:
    first, last = TEXTS[0], TEXTS[-1]
    longest = {"max_ratio": 0.0, "max_extra": 14}
    ends = model([first, last], **longest)
    assert ends[0] != ends[1]
    way = model.interpolate(first, last, steps=5, **longest)
    assert (way[0], way[-1], len(way)) == (*ends, 5)


def test_the_way_is_a_straight_line(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[torch.Tensor] = []
    monkeypatch.setattr(latent, "write", lambda _, z: written.append(z))
    model.interpolate(TEXTS[0], TEXTS[1], steps=3)
    ends = latent.means(model, TEXTS[:2])
    torch.testing.assert_close(written[0], torch.stack([ends[0], ends.mean(0), ends[1]]))


def test_what_cannot_be_is_refused(model: Model, codec: Codec) -> None:
    with pytest.raises(ModelError, match="steps = 1: from one text to another it takes at least 2"):
        model.interpolate("on", "off", steps=1)
    with pytest.raises(TextError, match="text 2 is blank and has no place in the latent space"):
        model.interpolate("on", " ", steps=3)
    plain = build(codec, 'encoder={kind="gru",width=16,layers=1}', "link.kind=state")
    for call in (lambda: plain.sample(1, seed=1), lambda: plain.interpolate("on", "off", steps=2)):
        with pytest.raises(ModelError, match=r"encoder\.kind = 'gru' has no latent vector .*'variational'"):
            call()


def test_the_bound_is_the_likelihood_of_a_draw_and_what_the_vector_costs(model: Model) -> None:
    found = latent.bound(model, TEXTS, draws=3)
    memory = model.encode(TEXTS)
    assert memory.latent is not None
    kl = 0.5 * (memory.latent.mean.square() + memory.latent.log_variance.exp() - 1 - memory.latent.log_variance)
    torch.testing.assert_close(found.kl, kl)
    torch.testing.assert_close(found.mean, memory.latent.mean)
    assert (
        found.weighted <= found.nll + 1e-4
    ).all()  # a tighter bound (Burda et al. 2016, theorem 1), draw by draw by Jensen
    torch.testing.assert_close(latent.bound(model, TEXTS, draws=3).nll, found.nll)
    assert not torch.equal(latent.bound(model, TEXTS, draws=3, seed=1).nll, found.nll)


def test_each_text_is_encoded_once_for_its_bound(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    encode = model.encode_read

    def watched(readings: Any) -> Any:
        read.extend(one.text for one in readings)
        return encode(readings)

    monkeypatch.setattr(model, "encode_read", watched)
    latent.bound(model, TEXTS, draws=2)
    assert sorted(read) == sorted(TEXTS)


@pytest.mark.parametrize("texts", [TEXTS, ["The {name} is on.", "{name} and {other} are off."]])
def test_the_bound_of_a_vector_that_hardly_varies_is_what_score_says(texts: list[str]) -> None:
    keeps = "text.placeholders=" + str(texts is not TEXTS).lower()
    config = Recipe.parse(RECIPE, [keeps]).text
    model = build(Codec.train(lambda: ((text, text) for text in TEXTS), config), keeps)
    posterior = dict(model.network.named_modules())["encoder.posterior"]
    assert isinstance(posterior, torch.nn.Linear)
    with torch.no_grad():
        posterior.bias[4:] = -40.0  # log variances: the draw is the mean
        posterior.weight[4:] = 0.0
    found = latent.bound(model, texts)
    likelihood = torch.tensor(model.score(texts, texts))
    torch.testing.assert_close(found.nll - found.kl.sum(1), -likelihood, atol=1e-3, rtol=1e-4)
