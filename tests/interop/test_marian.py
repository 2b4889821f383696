"""A Marian checkpoint becomes a model that computes the same and is used like any other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceProcessor

import endash
from endash.errors import ModelError, TextError
from endash.interop.marian import import_marian
from endash.interop.parity import beside_transformers, drawn_texts
from endash.model import Model
from endash.network import Batch
from marian_checkpoints import TEXTS, logits, subwords, write

REFERENCE = Path(os.environ.get("ENDASH_MODELS", "models")) / "marian-multi30k-en-de"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write(tmp_path / "checkpoint")


@pytest.fixture
def model(checkpoint: Path) -> Model:
    return import_marian(checkpoint, checkpoint.parent / "spm.model")


@torch.no_grad()
def test_the_scores_are_those_of_a_marian_model(model: Model, checkpoint: Path) -> None:
    given = load_file(checkpoint / "model.safetensors")
    for source, target in ([5, 6, 7, 8, 9, 10, 3], [30, 31, 4, 3]), ([40, 3], [50, 60, 70, 80, 90, 3]):
        ours = model.network(Batch(torch.tensor([source]), torch.tensor([target])))[0]
        # float32 sums in another order, on scores of about 10
        torch.testing.assert_close(ours, logits(given, source, [2, *target[:-1]]), atol=1e-4, rtol=1e-4)


def test_it_is_saved_and_loaded_like_any_other(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    loaded = endash.load(tmp_path / "model")
    assert loaded(TEXTS) == model(TEXTS)
    assert loaded.score(TEXTS, TEXTS) == model.score(TEXTS, TEXTS)
    assert loaded.recipe == model.recipe
    assert "on what and how it was trained is not known" in (tmp_path / "model" / "README.md").read_text("utf-8")


def test_the_recipe_describes_it(model: Model) -> None:
    text, decoder = model.recipe.text, model.recipe.decoder
    assert (text.model, text.size, text.max_length, text.placeholders) == (
        "imported",
        len(model.codec.target),
        64,
        False,
    )
    settings = decoder.model_dump()
    assert {name: settings[name] for name in ("layers", "heads", "feed_forward", "activation", "norm", "dropout")} == {
        "layers": 3, "heads": 2, "feed_forward": 40, "activation": "silu", "norm": "post", "dropout": 0.2,
    }  # fmt: skip


def test_every_word_of_its_vocabulary_can_be_written(model: Model) -> None:
    """Also the one with the id that sep has in a vocabulary trained here, and unk, which it may have learned to write."""
    peer = SentencePieceProcessor(model_proto=subwords())
    for token in (4, 1):
        with torch.no_grad():
            model.network.head.bias.zero_()[token] = 1e4
        [[found]] = model.search(model.encode(["a lamp"]), model.recipe.decoding.replace(beam=1))
        assert set(found.tokens) == {token}
        assert model("a lamp", beam=1) == peer.decode(list(found.tokens))
    with torch.no_grad():
        model.network.head.bias[[0, 2]] = 1e5
    [[found]] = model.search(model.encode(["a lamp"]), model.recipe.decoding.replace(beam=1))
    assert set(found.tokens) == {1}  # neither padding nor the start


def test_what_is_told_of_decoding_is_kept(checkpoint: Path) -> None:
    told = {"num_beams": 3, "length_penalty": 0.6, "bos_token_id": 2}
    (checkpoint / "generation_config.json").write_text(json.dumps(told), encoding="utf-8")
    decoding = import_marian(checkpoint, checkpoint.parent / "spm.model").recipe.decoding
    assert (decoding.beam, decoding.length_penalty) == (3, 0.6)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model_type", "bart", "model_type = 'bart'"),
        ("scale_embedding", False, "scale_embedding = False"),
        ("share_encoder_decoder_embeddings", False, "share_encoder_decoder_embeddings = False"),
        ("decoder_start_token_id", 0, "decoder_start_token_id = 0"),
        ("activation_function", "tanh", "activation_function = 'tanh'"),
        ("decoder_vocab_size", 7, "decoder_vocab_size = 7 beside vocab_size = "),
    ],
)
def test_another_form_is_refused_by_name(key: str, value: object, said: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint", **{key: value})
    with pytest.raises(ModelError) as refused:
        import_marian(folder, tmp_path / "spm.model")
    assert f"config.json has {said}" in str(refused.value)
    assert "What can has model_type = 'marian', " in str(refused.value)


def test_a_size_that_is_missing_is_named(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    del config["encoder_layers"]
    (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json has no encoder_layers: such a checkpoint"):
        import_marian(checkpoint, checkpoint.parent / "spm.model")


def test_settings_without_counterpart_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint", decoder_attention_heads=3)
    with pytest.raises(
        ModelError, match=r"this checkpoint has no counterpart here: (.|\n)*decoder\.heads = 3 does not"
    ):
        import_marian(folder, tmp_path / "spm.model")


def change(folder: Path, made: Callable[[dict[str, torch.Tensor]], object]) -> None:
    found = load_file(folder / "model.safetensors")
    made(found)
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda found: found.pop("final_logits_bias"), "has no final_logits_bias: config.json tells of another model"),
        (
            lambda found: found.update({"model.encoder.layer_norm.weight": torch.ones(16)}),
            "has model.encoder.layer_norm",
        ),
        (lambda found: found.update({"lm_head.weight": torch.ones(2, 2)}), "has lm_head.weight, which no part"),
        (
            lambda found: found.update({"model.decoder.layers.2.fc1.bias": torch.ones(2)}),
            "what becomes decoder.layers.2.feed_forward.inner.bias is (2,), and config.json asks for (40,)",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(made: Any, said: str, checkpoint: Path) -> None:
    change(checkpoint, made)
    with pytest.raises(ModelError) as refused:
        import_marian(checkpoint, checkpoint.parent / "spm.model")
    assert said in str(refused.value)


def test_copies_of_the_embedding_and_half_precision_are_taken(model: Model, checkpoint: Path) -> None:
    def double(found: dict[str, torch.Tensor]) -> None:
        found["lm_head.weight"] = found["model.shared.weight"].clone()
        found["model.encoder.embed_positions.weight"] = torch.ones(64, 16)
        found |= {name: tensor.half() for name, tensor in found.items()}

    change(checkpoint, double)
    again = import_marian(checkpoint, checkpoint.parent / "spm.model")
    for one, other in zip(again.network.parameters(), model.network.parameters(), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=2e-3, rtol=1e-3)  # half precision has 11 bits


def test_files_that_are_missing_or_broken_are_named(checkpoint: Path, tmp_path: Path) -> None:
    spm = tmp_path / "spm.model"
    with pytest.raises(
        ModelError, match=r"nowhere.config\.json: No such file or directory: name the folder of a Marian"
    ):
        import_marian(tmp_path / "nowhere", spm)
    with pytest.raises(TextError, match=r"no vocabulary at .*other\.model"):
        import_marian(checkpoint, tmp_path / "other.model")
    (checkpoint / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(ModelError, match=r"model\.safetensors is not a whole file of parameters"):
        import_marian(checkpoint, spm)
    folder = write(tmp_path / "more" / "checkpoint", vocab_size=400)
    with pytest.raises(ModelError, match=r"spm\.model has \d+ tokens, and .* vocab_size = 400: name the sentencepiece"):
        import_marian(folder, spm)


def test_texts_are_drawn_from_all_of_the_vocabulary(model: Model) -> None:
    texts = drawn_texts(model.codec, count=200)
    assert texts == drawn_texts(model.codec, count=200)
    assert all(text.strip() and model.codec.fits(text) for text in texts)
    used = {token for text in texts for token in model.codec.encode_source(text).tokens}
    assert len(used) > 0.5 * sum(
        not piece.startswith("<") for piece in model.codec.source.pieces(range(len(model.codec.source)))
    )


def need_transformers() -> Any:
    return pytest.importorskip("transformers", reason="pip install transformers, to compare with it")


@pytest.mark.parametrize("activation", ["relu", "gelu", "swish"])
def test_a_checkpoint_that_it_wrote(activation: str, tmp_path: Path) -> None:
    transformers = need_transformers()
    folder = write(tmp_path / "ours", activation_function=activation)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    transformers.MarianMTModel.from_pretrained(folder).save_pretrained(tmp_path / "theirs")
    model = import_marian(tmp_path / "theirs", tmp_path / "spm.model")
    parity = beside_transformers(model, tmp_path / "theirs", TEXTS)
    assert parity is not None
    assert (parity.same, parity.texts) == (4, 4)
    assert parity.difference < 1e-4  # float32 sums in another order, on scores of about 10
    assert parity.check() is parity


def test_a_model_that_computes_another_thing_is_found_out(model: Model, checkpoint: Path) -> None:
    need_transformers()
    with torch.no_grad():
        model.network.get_parameter("decoder.layers.1.feed_forward.output.bias")[3] += 0.1
    parity = beside_transformers(model, checkpoint, TEXTS)
    assert parity is not None
    with pytest.raises(ModelError, match="that is more than rounding, so the two are not one model, and nothing was"):
        parity.check()


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no {REFERENCE}: ENDASH_MODELS names the folder it is in")
def test_trained_weights() -> None:
    need_transformers()
    model = import_marian(REFERENCE / "hf", REFERENCE / "spm8k.model")
    assert model("A man sleeps on a bench.") == "Ein Mann schläft auf einer Bank."
    parity = beside_transformers(model, REFERENCE / "hf", ["A man sleeps.", "Two dogs are playing in the snow."])
    assert parity is not None
    assert parity.same == parity.texts == 2
    assert parity.difference < 1e-4  # scores of about 12


def test_without_transformers_nothing_is_compared(
    model: Model, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endash.interop.parity.find_spec", lambda name: None)
    assert beside_transformers(model, checkpoint, TEXTS) is None
