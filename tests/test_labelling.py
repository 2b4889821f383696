"""A network that reads labels off a memory: what it minimises, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from endash.encoders import encoders
from endash.encoders.pretrained import PretrainedConfig
from endash.encoders.variational import VariationalConfig
from endash.errors import RecipeError, TextError
from endash.frontends import frontends
from endash.labelling import Labeller
from endash.model import Model
from endash.network import Batch
from endash.parts.contracts import Padded, PartConfig
from endash.recipe import Recipe
from endash.text import FIRST_LABEL, Codec, Labels
from tiny_model import PAIRS, RECIPE, STATES, TEXTS

LABELS = 4
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [10, 11, 3, 0, 0]])
HYPOTHESIS = torch.tensor([[5, 9, 3], [12, 3, 0]])
PLACES, TAGS = torch.tensor([[1, 3, 4], [2, 0, 0]]), torch.tensor([[5, 8, 6], [7, 0, 0]])
VIT = {"model_type": "vit", "image_size": 8, "patch_size": 4, "hidden_size": 16, "num_hidden_layers": 1}


def settings(kind: str = "transformer", **changes: Any) -> PartConfig:
    found: Any = encoders.config(kind)
    return found(**{"width": 16, "layers": 1, "dropout": 0.0} | changes)


def labeller(encoder: PartConfig | None = None, **changes: Any) -> Labeller:
    torch.manual_seed(0)
    return Labeller(encoder or settings(), **{"labels": LABELS, "each": "source", "source_size": 20} | changes)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_cross_entropy_of_the_labels_that_are_asked(smoothing: float) -> None:
    words = labeller(each="word").train()
    batch = Batch(SOURCE, TAGS, places=PLACES)
    loss = words.loss(batch, label_smoothing=smoothing)
    scores = words(batch)
    assert scores.shape == (2, 3, LABELS)
    rows = torch.cat([scores[0], scores[1, :1]])
    wanted = nn.functional.cross_entropy(rows, torch.tensor([0, 3, 1, 2]), label_smoothing=smoothing)
    torch.testing.assert_close(loss.total, wanted)
    assert loss.tokens == 4
    assert loss.nll == pytest.approx(nn.functional.cross_entropy(rows, TAGS[TAGS != 0] - 5, reduction="sum").item())
    assert loss.parts == {}


def test_a_source_has_one_label_and_progress_changes_nothing() -> None:
    whole = labeller(passages=1).eval()
    batch = Batch(SOURCE, torch.tensor([[FIRST_LABEL], [FIRST_LABEL + 3]]), (HYPOTHESIS,))
    scores = whole(batch)
    assert scores.shape == (2, 1, LABELS)
    losses = [whole.loss(batch, label_smoothing=0.0, progress=progress) for progress in (0.0, 1.0)]
    torch.testing.assert_close(losses[0].total, nn.functional.cross_entropy(scores[:, 0], torch.tensor([0, 3])))
    assert (losses[0].tokens, losses[0].nll) == (2, losses[1].nll)
    memory = whole.encode(SOURCE, (HYPOTHESIS,))
    assert torch.equal(whole.scores(memory), scores)


def test_where_no_label_is_asked_the_loss_is_nothing() -> None:
    words = labeller(each="word")
    loss = words.loss(Batch(SOURCE, torch.zeros_like(TAGS), places=PLACES), label_smoothing=0.1)
    loss.total.backward()
    assert (loss.total.item(), loss.tokens, loss.nll) == (0.0, 0, 0.0)
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in words.parameters())


def test_the_label_of_a_word_is_read_where_it_begins() -> None:
    words = labeller(each="word").eval()
    memory = words.encode(SOURCE)
    scores = words.scores(memory, PLACES)
    for row, word in ((0, 0), (0, 1), (0, 2), (1, 0)):
        wanted = words.head.project(memory.states[row, PLACES[row, word] - 1])
        torch.testing.assert_close(scores[row, word], wanted)
    assert scores.isfinite().all()
    with pytest.raises(AssertionError, match="need the places of their first tokens"):
        words(Batch(SOURCE, TAGS))


def test_a_frontend_s_source_has_labels_too() -> None:
    network = labeller(settings("gru"), frontend=frontends.config("features")(size=5))
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    batch = Batch(Padded(torch.randn(2, 4, 5), mask), torch.tensor([[5], [6]]))
    network.loss(batch, label_smoothing=0.0).total.backward()
    assert network.frontend is not None
    assert all(parameter.grad is not None for parameter in network.frontend.parameters())
    assert network.source_embedding is None


def test_dropout_is_the_encoder_s_or_a_usual_one() -> None:
    assert labeller(settings(dropout=0.3)).head.dropout.probability == 0.3
    pytest.importorskip("transformers", reason="transformers is not installed")
    bert = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 20, "num_attention_heads": 2}
    assert labeller(PretrainedConfig(architecture=json.dumps(bert))).head.dropout.probability == 0.1
    network = labeller(settings(dropout=0.3)).train()
    states: list[Tensor] = [network(Batch(SOURCE, TAGS)) for _ in range(2)]
    assert not torch.equal(*states)


@pytest.mark.parametrize(
    ("encoder", "changes", "message"),
    [
        (VariationalConfig(width=4), {}, "'variational' gives a latent vector .* name the encoder that it wraps"),
        (settings(), {"each": "word", "passages": 1}, "each word of one source has a label, .* join no other to it"),
        (
            PretrainedConfig(architecture=json.dumps(VIT)),
            {"each": "word"},
            "'pretrained' is given no words here: take one",
        ),
        (settings("gru"), {"each": "word", "frontend": frontends.config("features")()}, r"and no \[frontend\]"),
        (PretrainedConfig(architecture=json.dumps(VIT)), {"passages": 1}, "is tokens, and this network reads none"),
        (PretrainedConfig.usual(), {"frontend": frontends.config("features")()}, "reads tokens itself, and a frontend"),
    ],
)
def test_labels_that_cannot_be_read_are_refused(encoder: PartConfig, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        labeller(encoder, **changes)


def test_a_label_can_be_written_by_a_decoder_as_well(tmp_path: Path) -> None:
    """The names are a target vocabulary like another: what a text is asked by a prompt is answered so."""
    settings = ("text.joint=false", "text.placeholders=false", "head.tie=target", "decoding.max_extra=1")
    recipe = Recipe.parse(RECIPE, settings)
    codec = Codec.train(lambda: PAIRS, recipe.text, target=Labels.of(STATES))
    torch.manual_seed(0)
    model = Model.build(recipe, codec)
    assert set(model(TEXTS[0]).split()) <= set(STATES)
    model.save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    assert isinstance(again.codec.target, Labels)
    sources = [TEXTS[0]] * len(STATES)
    assert again.score(sources, list(STATES)) == model.score(sources, list(STATES))
    with pytest.raises(TextError, match="the label 'opened' is none of the 10: did you mean 'open'"):
        model.score(TEXTS[:1], ["opened"])
