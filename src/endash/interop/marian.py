"""A Marian checkpoint of Hugging Face transformers as a model: the same parameters, the same words.

Only safetensors and config.json are read; transformers itself is not needed. A Marian model (Junczys-Dowmunt et al. 2018) is a
post-norm Transformer with one scaled embedding for both sides and the projection. Its positions have all sines in front of all
cosines, and here the two alternate. No number in the residual stream knows its place, so the stream's places are reordered
instead, in everything that reads or writes it: the function stays the same.

Shapes: D width, V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from endash.errors import EndashError, ModelError
from endash.model import Model
from endash.recipe import Recipe
from endash.text import BOS, EOS, PAD, Codec, ImportedTokenizer

_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "silu", "swish": "silu"}
_NEEDED: dict[str, Any] = {
    "model_type": "marian",
    "scale_embedding": True,
    "share_encoder_decoder_embeddings": True,
    "tie_word_embeddings": True,
    "pad_token_id": PAD,
    "decoder_start_token_id": BOS,
    "eos_token_id": EOS,
}
_SIZES = [f"{side}_{of}" for side in ("encoder", "decoder") for of in ("layers", "attention_heads", "ffn_dim")]
_SIZES += ["vocab_size", "d_model", "max_position_embeddings"]
_USUAL = {"share_encoder_decoder_embeddings": True, "tie_word_embeddings": True}  # where config.json does not say
_SHARED = "model.shared.weight"
_COPIES = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")
_POSITIONS = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")


def import_marian(folder: str | Path, tokenizer: str | Path, *, name: str | None = None) -> Model:
    """The model in the folder of a MarianMTModel, with the sentencepiece model whose ids are its own.

    It is called `name`, or else as the folder. Raises ModelError naming what is missing or of another form, TextError for a vocabulary with other special ids.
    """
    folder = Path(folder)
    config = _read_config(folder)
    vocabulary = ImportedTokenizer.load(tokenizer)
    if len(vocabulary) != config["vocab_size"]:
        raise ModelError(
            f"{tokenizer} has {len(vocabulary):,} tokens, and {folder} vocab_size = {config['vocab_size']:,}: name the "
            "sentencepiece model whose ids the checkpoint was trained with"
        )
    recipe = _recipe(config, name or folder.absolute().name)
    model = Model.build(recipe, Codec(vocabulary, vocabulary, config=recipe.text))
    parameters = _parameters(_Checkpoint(folder), config)
    with torch.no_grad():
        for ours, parameter in model.network.named_parameters():
            if parameter.shape != parameters[ours].shape:
                raise ModelError(
                    f"{folder}: what becomes {ours} is {tuple(parameters[ours].shape)}, and config.json asks for "
                    f"{tuple(parameter.shape)}: copy the folder again, they are not of one model"
                )
            parameter.copy_(parameters[ours])
    model.network.eval()
    return model


def _read_config(folder: Path) -> dict[str, Any]:
    """config.json, and what generation_config.json says of decoding. Raises ModelError unless it describes such a model."""
    path = folder / "config.json"
    config = _USUAL | _json(path) | dict.fromkeys(("num_beams", "length_penalty"))
    if (folder / "generation_config.json").exists():
        told = _json(folder / "generation_config.json")
        config |= {key: told.get(key) for key in ("num_beams", "length_penalty")}
    odd = [f"{key} = {config.get(key)!r}" for key, value in _NEEDED.items() if config.get(key) != value]
    odd += [f"no {key}" for key in _SIZES if key not in config]
    activation = config.get("activation_function")
    if activation not in _ACTIVATIONS:
        odd.append(f"activation_function = {activation!r}")
    if config.get("decoder_vocab_size") not in {None, config.get("vocab_size")}:
        odd.append(
            f"decoder_vocab_size = {config['decoder_vocab_size']!r} beside vocab_size = {config['vocab_size']!r}"
        )
    if odd:
        allowed = ", ".join(f"{key} = {value!r}" for key, value in _NEEDED.items())
        raise ModelError(
            f"{path} has {', '.join(odd)}: such a checkpoint cannot be imported. What can has {allowed}, one vocabulary, and "
            f"activation_function one of {', '.join(_ACTIVATIONS)}"
        )
    return config


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(
            f"{path}: {reason}: name the folder of a MarianMTModel as save_pretrained writes it, with config.json and "
            "model.safetensors"
        ) from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no table of settings: copy the folder of the model again")
    return found


def _recipe(config: dict[str, Any], name: str) -> Recipe:
    """The recipe of such a model; what it was trained on, and how, is not in a checkpoint."""
    import tomli_w

    sides = {side: _side(config, side) for side in ("encoder", "decoder")}
    decoding = {"beam": config["num_beams"], "length_penalty": config["length_penalty"]}
    settings = {
        "name": name,
        "corpus": {"train": []},
        "text": {
            "model": "imported",
            "size": config["vocab_size"],
            "joint": True,
            "placeholders": False,
            "max_length": config["max_position_embeddings"],
        },
        **sides,
        "link": {"kind": "cross-attention", "heads": config["decoder_attention_heads"]},
        "head": {"tie": "all"},
        "decoding": {key: value for key, value in decoding.items() if value is not None},
    }
    try:
        return Recipe.parse(tomli_w.dumps(settings), where="config.json")
    except EndashError as error:
        raise ModelError(f"this checkpoint has no counterpart here: {error}") from None


def _side(config: dict[str, Any], side: str) -> dict[str, Any]:
    return {
        "kind": "transformer",
        "width": config["d_model"],
        "layers": config[f"{side}_layers"],
        "heads": config[f"{side}_attention_heads"],
        "feed_forward": config[f"{side}_ffn_dim"],
        "activation": _ACTIVATIONS[config["activation_function"]],
        "norm": "post",
        "positions": "sinusoidal",
        "dropout": config.get("dropout", 0.1),
    }


class _Checkpoint:
    """The parameters of a checkpoint, and which of them were asked for."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.safetensors"
        self._asked = set[str]()
        try:
            self._tensors = load_file(self.path)
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"{self.path} is not a whole file of parameters ({error}): load the model in transformers and write it with "
                "save_pretrained(…, max_shard_size='100GB'), or copy it again"
            ) from None

    def __getitem__(self, name: str) -> Tensor:
        self._asked.add(name)
        if name not in self._tensors:
            raise ModelError(f"{self.path} has no {name}: config.json tells of another model; copy the folder again")
        return self._tensors[name]

    def check_rest(self) -> None:
        """Raise ModelError for parameters that nobody asked for; copies of the embedding and positions are none."""
        shared = self._tensors[_SHARED]
        copies = {name for name in _COPIES if name in self._tensors and torch.equal(self._tensors[name], shared)}
        left = sorted(self._tensors.keys() - self._asked - copies - set(_POSITIONS))
        if left:
            raise ModelError(
                f"{self.path} has {', '.join(left[:3])}{' …' if left[3:] else ''}, which no part of a Marian model here would "
                "hold: without it the model would compute something else"
            )


def _parameters(checkpoint: _Checkpoint, config: dict[str, Any]) -> dict[str, Tensor]:
    """The parameters under their names here, the residual stream in the order that it has here.

    Raises ModelError for parameters that are missing, or that would be left out.
    """
    stream = torch.arange(config["d_model"]).view(2, -1).T.flatten()  # sines and cosines in turn
    shared = checkpoint[_SHARED][:, stream]
    found = dict.fromkeys(("source_embedding.weight", "target_embedding.weight", "head.weight"), shared)
    found["head.bias"] = checkpoint["final_logits_bias"].flatten()
    for side in ("encoder", "decoder"):
        for number in range(config[f"{side}_layers"]):
            theirs, ours = f"model.{side}.layers.{number}", f"{side}.layers.{number}"
            found |= _attention(checkpoint, f"{theirs}.self_attn", f"{ours}.attention", stream)
            found[f"{ours}.feed_forward.inner.weight"] = checkpoint[f"{theirs}.fc1.weight"][:, stream]
            found[f"{ours}.feed_forward.inner.bias"] = checkpoint[f"{theirs}.fc1.bias"]
            rows = {"fc2": "feed_forward.output", "self_attn_layer_norm": "around_attention.norm"}
            rows["final_layer_norm"] = "around_feed_forward.norm"
            if side == "decoder":
                rows["encoder_attn_layer_norm"] = "around_link.norm"
                found |= _attention(checkpoint, f"{theirs}.encoder_attn", f"link.attention.{number}", stream)
            for their, our in rows.items():
                for kind in ("weight", "bias"):
                    found[f"{ours}.{our}.{kind}"] = checkpoint[f"{theirs}.{their}.{kind}"][stream]
    checkpoint.check_rest()
    return found


def _attention(checkpoint: _Checkpoint, theirs: str, ours: str, stream: Tensor) -> Mapping[str, Tensor]:
    """Queries, keys and values read the residual stream, and the output writes to it."""
    weights = {name: checkpoint[f"{theirs}.{name}_proj.weight"] for name in ("q", "k", "v", "out")}
    biases = {name: checkpoint[f"{theirs}.{name}_proj.bias"] for name in ("q", "k", "v", "out")}
    return {
        f"{ours}.query.weight": weights["q"][:, stream],
        f"{ours}.query.bias": biases["q"],
        f"{ours}.key_value.weight": torch.cat([weights["k"], weights["v"]])[:, stream],
        f"{ours}.key_value.bias": torch.cat([biases["k"], biases["v"]]),
        f"{ours}.output.weight": weights["out"][stream],
        f"{ours}.output.bias": biases["out"][stream],
    }
