"""A tiny random model that writes at once, through the calls that any model has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from endash.decoding.config import DecodingConfig
from endash.errors import RecipeError
from endash.inspection.observe import look_at
from endash.memory import Memory
from endash.model import Model
from endash.recipe import Recipe
from endash.text import Codec
from test_model import PAIRS, RECIPE, TEXTS

DECODER = 'decoder={kind="mask-predict",width=16,layers=1,heads=2,feed_forward=16}'


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    recipe = Recipe.parse(RECIPE, [DECODER, "decoding={lengths=3, iterations=4, max_ratio=1.0, max_extra=3}"])
    built = Model.build(recipe, Codec.train(lambda: PAIRS, recipe.text))
    with torch.no_grad():
        for parameter in built.network.parameters():
            parameter.mul_(2)  # a source then changes what is written
    return built


def test_texts_memories_and_stored_ones_are_answered_alike(model: Model, tmp_path: Path) -> None:
    alone = [model(text) for text in TEXTS]
    assert model(TEXTS) == alone == model(TEXTS, batch_tokens=1)
    assert len(set(alone)) > 1
    memory = model.encode([*TEXTS, " "])
    memory.save(tmp_path / "memory")
    model.save(tmp_path / "model")
    assert Model.load(tmp_path / "model").decode(Memory.load(tmp_path / "memory")) == [*alone, " "]


def test_hypotheses_are_of_different_lengths_within_the_limits_and_the_scores_the_model_s(model: Model) -> None:
    sources = model.codec.encode_sources(TEXTS)
    for text, source, found in zip(TEXTS, sources, model.search(model.encode(TEXTS)), strict=True):
        assert all(len(one.tokens) < model.recipe.decoding.max_length(len(source.tokens)) for one in found)
        for one in found:
            watched = model.watch(model.encode([text]), one.tokens)
            assert one.score == pytest.approx(float(watched.scores.sum()), abs=1e-3)  # float32 sums
    (found,) = model.translate(["The door is open."], n_best=3)
    assert len({len(one.tokens) for one in found}) == 3


def test_a_score_adds_up_to_the_loss(model: Model) -> None:
    scores = model.score([source for source, _ in PAIRS[:4]], [target for _, target in PAIRS[:4]])
    assert scores == pytest.approx([model.score([s], [t])[0] for s, t in PAIRS[:4]], abs=1e-3)
    assert all(-1000 < score < 0 for score in scores)


def test_random_parameters_keep_the_placeholders_of_a_source(model: Model) -> None:
    texts = ["The {noun} is %s.", "on", "{a} {b} {a}", "<b>open</b> {x} now"]
    wanted = [["%s", "{noun}"], [], ["{a}", "{a}", "{b}"], ["</b>", "<b>", "{x}"]]
    for text, hypotheses in zip(wanted, model.translate(texts, n_best=3), strict=True):
        for one in hypotheses:
            assert sorted(t for t in one.tokens if t[0] in "{%<" and not t.startswith("<0x")) == text


def test_it_is_aligned_and_looked_at(model: Model) -> None:
    ((found,),) = model.translate(TEXTS[:1], alignment=True)
    words = len(TEXTS[0].split())
    assert all(0 <= i < words and 0 <= j < len(found.text.split()) for i, j in found.alignment)
    look = look_at(model, TEXTS[0])
    assert look.score == pytest.approx(found.score, abs=1e-3)
    assert look.weights.shape[-2:] == (len(look.target_tokens), len(look.source_tokens))


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        ({"beam": 4}, "beam is of search = 'beam', but search = 'mask-predict'"),
        ({"no_repeat": 3}, "no_repeat is of search = 'beam', but search = 'mask-predict'"),
        ({"search": "sample"}, "decoding.search = 'sample' does not write as decoder.kind = 'mask-predict' does"),
        ({"n_best": 4}, "n_best = 4 is more than lengths = 3: raise lengths to 4"),
    ],
)
def test_what_is_of_other_searches_is_refused(model: Model, decoding: dict[str, object], message: str) -> None:
    for call in (lambda: model.translate(["on"], **decoding), lambda: model.decode(model.encode(["on"]), **decoding)):
        with pytest.raises(RecipeError, match=message):
            call()


def test_a_search_that_is_handed_in_is_checked_too(model: Model) -> None:
    with pytest.raises(
        RecipeError, match=r"decoding\.search = 'beam' does not write as decoder\.kind = 'mask-predict'"
    ):
        model.search(model.encode(["on"]), DecodingConfig(beam=2))
