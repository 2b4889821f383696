"""The part that networks have in common: what is drawn for a seed, under which names, and what is joined to a source."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from endash.decoders import decoders
from endash.encoders import encoders
from endash.encoders.pretrained import PretrainedConfig
from endash.encoders.variational import VariationalConfig
from endash.encoding import SourceNetwork
from endash.errors import RecipeError
from endash.frontends import frontends
from endash.heads import HeadConfig
from endash.links import links
from endash.network import Batch, Network
from endash.parts.contracts import Padded

SMALL = {"width": 16, "layers": 2, "dropout": 0.1}
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [10, 11, 3, 0, 0]])
TARGET = torch.tensor([[6, 7, 3, 0], [22, 23, 24, 3]])
PASSAGE = torch.tensor([[5, 4, 20, 3], [0, 0, 0, 0]])
FEATURES = Padded(torch.linspace(-1, 1, 40).view(2, 4, 5), torch.tensor([[True] * 4, [True, True, False, False]]))
BERT = {
    "model_type": "bert",
    "vocab_size": 37,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "initializer_range": 0.3,
}
with_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")


def network(encoder: Any, link: str, decoder: str, **settings: Any) -> Network:
    torch.manual_seed(0)
    reader: Any = encoders.config(encoder)(**SMALL) if isinstance(encoder, str) else encoder
    writer: Any = decoders.config(decoder)(**SMALL)
    shared = {"head": HeadConfig(), "source_size": 37, "target_size": 37}
    return Network(reader, links.config(link)(), writer, **shared | settings)


def pretrained(**settings: Any) -> Network:
    config = PretrainedConfig(architecture=json.dumps(BERT))
    return network(config, "cross-attention", "transformer", head=HeadConfig(tie="target"), **settings).eval()


def tops(of: nn.Module) -> list[str]:
    """The parts whose parameters stand in a file, in order."""
    return list(dict.fromkeys(name.partition(".")[0] for name in of.state_dict()))


def test_a_seed_draws_the_same_network_as_it_always_did() -> None:
    """The losses were written down before the network was made of two classes; sums of other machines differ in the last bits."""
    gru: Any = encoders.config("gru")(**SMALL)
    features = frontends.config("features")(size=5)
    made: dict[str, tuple[Network, Tensor | Padded, tuple[Tensor, ...]]] = {
        "joined": (
            network(
                "transformer", "cross-attention", "transformer", head=HeadConfig(tie="target", pointer=True), passages=1
            ),
            SOURCE,
            (PASSAGE,),
        ),
        "at once": (network("conformer", "cross-attention", "mask-predict", head=HeadConfig(tie="none")), SOURCE, ()),
        "latent": (network(VariationalConfig(width=4, encoder=gru), "latent", "gru"), SOURCE, ()),
        "frontend": (
            network("lstm", "additive", "lstm", head=HeadConfig(tie="target"), frontend=features),
            FEATURES,
            (),
        ),
    }
    wanted = {
        "joined": (3.5778120, 90),
        "at once": (4.9538784, 116),
        "latent": (3.9268682, 38),
        "frontend": (3.5713995, 39),
    }
    for name, (one, source, passages) in made.items():
        torch.manual_seed(1)
        loss = one.train().loss(Batch(source, TARGET, passages), label_smoothing=0.1, progress=0.5)
        assert (loss.total.item(), len(one.state_dict())) == (pytest.approx(wanted[name][0], rel=1e-5), wanted[name][1])
    assert tops(made["joined"][0]) == [
        "source_embedding",
        "target_embedding",
        "segment_embedding",
        "encoder",
        "link",
        "decoder",
        "head",
    ]
    assert tops(made["at once"][0])[-1] == "lengths"
    assert tops(made["frontend"][0])[0] == "frontend"


@with_transformers
@torch.no_grad()
def test_an_encoder_of_tokens_reads_what_is_joined_by_itself() -> None:
    one = pretrained(passages=1)
    assert one.segment_embedding is None
    memory = one.encode(SOURCE, (PASSAGE,))
    assert memory.segments is not None
    for number, tokens in enumerate((SOURCE, PASSAGE)):
        alone, part = one.encode(tokens), memory.segments == number
        own = part & memory.mask
        assert torch.equal(memory.states[own], alone.states[alone.mask])
        assert memory.tokens is not None
        assert torch.equal(memory.tokens[own], tokens[tokens != 0])
    scores = one(Batch(SOURCE, TARGET, (PASSAGE,)))
    assert not torch.allclose(scores[0], one(Batch(SOURCE, TARGET))[0])
    # an empty passage adds positions that are not read; float32 sums over more of them
    torch.testing.assert_close(scores[1], one(Batch(SOURCE, TARGET))[1], rtol=1e-5, atol=1e-5)


def test_to_what_is_no_tokens_nothing_is_joined() -> None:
    vit = {"model_type": "vit", "image_size": 8, "patch_size": 4, "hidden_size": 16, "num_hidden_layers": 1}
    images = PretrainedConfig(architecture=json.dumps(vit))
    reader: Any = encoders.config("gru")(**SMALL)
    for encoder, frontend in ((images, None), (reader, frontends.config("features")(size=5))):
        with pytest.raises(RecipeError, match=r"\[retrieval\], is tokens, and this network reads none: leave it out"):
            SourceNetwork(encoder, source_size=37, passages=1, frontend=frontend)
