"""A model whose encoder tells the target by itself, too: what it is trained on, and how its beams are judged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from endash.decoding.hypothesis import Found
from endash.encoders.recurrent import GRUEncoderConfig
from endash.encoders.variational import VariationalConfig
from endash.engine import Engine
from endash.errors import ModelError, RecipeError
from endash.frontends.features import FeaturesConfig
from endash.heads import HeadConfig
from endash.model import Model
from endash.native import why_absent
from endash.network import Batch, Network
from endash.objectives.ctc import ctc
from endash.parts.contracts import Padded
from endash.recipe import Recipe
from endash.served import NotServedError
from endash.stepper import find
from endash.text import EOS
from tiny_model import RECIPE, TEXTS, build, trained_codec

TARGET = torch.tensor([[7, 8, 9, 3], [6, 3, 0, 0]])


def network(share: float) -> Network:
    torch.manual_seed(0)
    recipe = Recipe.parse(RECIPE)
    return Network(
        recipe.encoder,
        recipe.link,
        recipe.decoder,
        head=HeadConfig(tie="target", ctc=share),
        source_size=12,
        target_size=12,
        frontend=FeaturesConfig(size=5),
    ).eval()


def batch() -> Batch:
    torch.manual_seed(1)
    lengths = torch.tensor([6, 4])
    return Batch(Padded(torch.randn(2, 6, 5), torch.arange(6) < lengths[:, None]), TARGET)


def test_the_loss_is_that_of_both_and_says_how_much_the_encoder_lacks() -> None:
    plain, both = network(0.0), network(0.3)
    both.load_state_dict(plain.state_dict(), strict=False)  # all but the head that is asked beside
    assert plain.ctc is None
    assert both.ctc is not None
    memory = both.encode(batch().source)
    log_probability = nn.functional.linear(memory.states, both.ctc.project.weight, both.ctc.project.bias).log_softmax(
        -1
    )
    nats = ctc(log_probability, memory.mask, TARGET).sum()
    alone, found = (one.loss(batch(), label_smoothing=0.1) for one in (plain, both))
    torch.testing.assert_close(found.total, 0.7 * alone.total + 0.3 * nats / 6)
    assert (found.tokens, found.nll) == (alone.tokens, alone.nll)
    assert found.parts == {"ctc": pytest.approx(nats.item())}


def test_every_parameter_learns() -> None:
    model = network(0.3).train()
    model.loss(batch(), label_smoothing=0.0).total.backward()
    assert [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()] == []


@pytest.fixture
def hears() -> Model:
    return build(trained_codec(), "head.ctc=0.3", "decoding.beam=4")


def test_the_score_of_a_hypothesis_is_that_of_decoder_and_encoder(hears: Model) -> None:
    """log p + λ / (1 - λ) log p_ctc, of each hypothesis that search gives."""
    share = 0.25
    assert hears.network.ctc is not None
    for text, found in zip(
        TEXTS, hears.search(hears.encode(TEXTS), hears.recipe.decoding.replace(ctc=share)), strict=True
    ):
        for best in found:
            if not best.finished:
                continue
            memory, target = hears.encode([text]), torch.tensor([[*best.tokens, EOS]])
            with torch.no_grad():
                own = float(hears.network.score(memory, target).sum())
                told = -float(hears.network.ctc.loss(memory, target))
            assert best.score == pytest.approx(own + share / (1 - share) * told, abs=1e-3)  # float32 sums of 30 nats


def test_it_chooses_otherwise(hears: Model) -> None:
    alone, jointly = (hears(TEXTS), hears(TEXTS, ctc=0.9))
    assert alone != jointly


def test_greedy_search_and_a_given_beginning_go_with_it(hears: Model) -> None:
    [[found]] = hears.translate(TEXTS[:1], ctc=0.5, beam=1, prefixes=["Das Tor"])
    assert found.text.startswith("Das Tor")


def test_a_model_without_the_head_says_so() -> None:
    plain = build(trained_codec())
    with pytest.raises(
        ModelError, match=r"decoding\.ctc = 0\.5, and this model has no CTC head to ask: leave it out, or"
    ):
        plain(TEXTS, ctc=0.5)


def test_the_native_core_leaves_it_to_pytorch(hears: Model, tmp_path: Path) -> None:
    joint = hears.recipe.decoding.replace(ctc=0.5)
    assert hears.path.why_not(joint) == "it has no CTC head (decoding.ctc = 0.5)"
    with pytest.raises(NotServedError, match=r"it has no CTC head \(decoding\.ctc = 0\.5\)"):
        Engine(hears, ctc=0.5)
    hears.save(tmp_path / "model")
    if why_absent() is None:
        with pytest.raises(NotServedError, match=r"the native core has no CTC head"):
            Engine(tmp_path / "model", ctc=0.5)


def test_the_native_core_decodes_by_the_decoder_alone(hears: Model) -> None:
    if hears.path.why_not(hears.recipe.decoding) is not None:
        pytest.skip("the native core is not built here")
    by_pytorch = [found[0] for found in search_by_pytorch(hears)]
    for native, other in zip(hears.translate(TEXTS), by_pytorch, strict=True):
        assert native[0].score == pytest.approx(other.score, abs=1e-3)  # float32 sums of 30 nats in another order


def search_by_pytorch(model: Model) -> list[list[Found]]:
    memory = model.encode(TEXTS)
    sources = [source.tokens for source in model.codec.encode_sources(TEXTS)]
    with torch.inference_mode():
        return find(model.network, memory, model.recipe.decoding, sources=sources, text=model.codec)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["decoding.ctc=0.3"],
            r"decoding\.ctc = 0\.3 asks a CTC head, and there is none: set head\.ctc, such as to 0\.3",
        ),
        (["head.ctc=0.3", "retrieval.passages=2"], r"head\.ctc tells the target from one source .* set head\.ctc = 0"),
        (["head.ctc=0.3", "decoding.search=sample", "decoding.ctc=0.3"], "ctc is of search = 'beam'"),
        (["head.ctc=1"], "should be less than 1"),
    ],
)
def test_recipes_in_which_it_has_no_place(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.parse(RECIPE.replace("decoding = { beam = 2, max_ratio = 1.0, max_extra = 3 }", ""), overrides)


def test_a_variational_model_has_no_place_for_it() -> None:
    recipe = Recipe.parse(RECIPE)
    encoder = VariationalConfig(width=16, encoder=GRUEncoderConfig(width=8, layers=1))
    with pytest.raises(RecipeError, match="those of a variational model are all alike"):
        Network(encoder, recipe.link, recipe.decoder, head=HeadConfig(ctc=0.3), source_size=9, target_size=9)
