from __future__ import annotations

import numpy as np
import pytest
import torch

from endash.inspection.observe import look_at
from endash.model import Model
from endash.recipe import Recipe
from endash.retrieval import PairIndex
from endash.text import Codec

PAIRS = [(f"The {noun} is {state}.", f"Das {noun} war {state}.") for noun in "abcdefghij" for state in "klmnopqrst"]
RECIPE = """
name = "tiny"
corpus = { train = { kind = "tsv", path = "pairs.tsv" } }
text = { size = 400 }
encoder = { kind = "transformer", width = 8, layers = 1, heads = 2, feed_forward = 8 }
link = { kind = "cross-attention", heads = 2 }
decoder = { kind = "transformer", width = 8, layers = 3, heads = 2, feed_forward = 8 }
decoding = { beam = 2, max_ratio = 1.0 }
"""
STATE = ['link={kind="state"}', 'decoder={kind="lstm",width=8,layers=1}']
TEXT = "The {x} is k."


def build(*overrides: str) -> Model:
    torch.manual_seed(0)
    recipe = Recipe.parse(RECIPE, overrides)
    pairs = PairIndex.build(PAIRS) if recipe.retrieval else None
    return Model.build(recipe, Codec.train(lambda: PAIRS, recipe.text), pairs=pairs)


@pytest.mark.parametrize("passages", [0, 2])
def test_a_look_is_what_the_model_does(passages: int) -> None:
    model = build(*([f"retrieval={{passages={passages}}}"] if passages else []))
    look = look_at(model, TEXT)
    (found,) = model.translate([TEXT])[0]
    S, T = len(look.source_tokens), len(look.target_tokens)
    assert (look.source, look.target) == (TEXT, found.text)
    assert look.target_tokens == (*found.tokens, "</s>")
    assert "{x}" in look.source_tokens
    assert look.weights.shape == (3, 2, T, S)
    np.testing.assert_allclose(look.weights.sum(-1), 1, rtol=1e-5)  # float32
    assert look.similarity.shape == (S, S)
    np.testing.assert_allclose(np.diagonal(look.similarity), 1, rtol=1e-5)
    assert look.score == pytest.approx(sum(look.token_scores))
    assert len(look.token_scores) == T
    assert set(look.segments) == set(range(passages + 1))
    assert len(look.passages) == passages
    own = look.segments.count(0)
    assert look.source_tokens[own - 1] == "</s>"
    assert (look.link, look.model) == ("cross-attention", "tiny")


def test_a_look_shows_what_was_copied() -> None:
    model = build("head={pointer=true}", "retrieval={passages=1}")
    look = look_at(model, TEXT)
    assert look.copied is not None
    assert look.copied.shape == (len(look.target_tokens), len(look.source_tokens))
    assert (look.copied >= 0).all()
    assert (look.copied.sum(-1) < 1).all()
    assert (look.copied.sum(-1) > 0).all()
    assert look_at(build(), TEXT).copied is None


def test_a_link_that_reads_nothing_has_no_weights() -> None:
    look = look_at(build(*STATE), TEXT)
    assert look.weights.shape == (0, 0, len(look.target_tokens), len(look.source_tokens))
    assert look.link == "state"
    assert look.similarity.shape == (len(look.source_tokens),) * 2


def test_sight_is_what_the_masks_let_through() -> None:
    both = look_at(build(), TEXT, sight=True)
    assert both.source_sight is not None
    assert both.target_sight is not None
    S, T = len(both.source_tokens), len(both.target_tokens)
    assert (both.source_sight == 1).all()
    assert np.array_equal(both.target_sight, np.tril(np.ones((T, T)), -1))
    forward = look_at(build("encoder.bidirectional=false"), TEXT, sight=True)
    assert np.array_equal(forward.source_sight, np.tril(np.ones((S, S))))
    assert look_at(build(), TEXT).source_sight is None


def test_sight_of_what_is_joined_and_of_a_decoder_that_writes_at_once() -> None:
    joined = look_at(build("retrieval={passages=1}"), TEXT, sight=True)
    assert joined.source_sight is not None
    own = joined.segments.count(0)
    assert (joined.source_sight[:own, :own] == 1).all()
    assert (joined.source_sight[own:, own:] == 1).all()
    assert (joined.source_sight == 0).any()  # a passage is encoded by itself
    at_once = look_at(
        build('decoder={kind="mask-predict",width=8,layers=1,heads=2,feed_forward=8}', "decoding={}"), TEXT, sight=True
    )
    assert at_once.target_sight is not None
    assert (at_once.target_sight == 1).all()
