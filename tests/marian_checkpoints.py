"""Marian checkpoints with small random parameters, and the slow plain computation of what such a model computes."""

from __future__ import annotations

import io
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from torch import Tensor
from torch.nn.functional import layer_norm, linear

WORDS = [
    "the",
    "a",
    "door",
    "light",
    "lamp",
    "fan",
    "lock",
    "is",
    "on",
    "off",
    "open",
    "new",
    "old",
    "red",
    "green",
    "blue",
    "warm",
    "cold",
    "and",
    "or",
    "with",
    "without",
]
TEXTS = ["the door is open and the light is on", "a new lamp", "the red fan or the green lock with a light", "off"]
LAYERS, HEADS, WIDTH = {"encoder": 2, "decoder": 3}, {"encoder": 4, "decoder": 2}, 16
CONFIG: dict[str, Any] = {
    "architectures": ["MarianMTModel"],
    "model_type": "marian",
    "activation_function": "swish",
    "d_model": WIDTH,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 64,
    "dropout": 0.2,
    "scale_embedding": True,
    "share_encoder_decoder_embeddings": True,
    "tie_word_embeddings": True,
    "is_encoder_decoder": True,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "decoder_start_token_id": 2,
    "eos_token_id": 3,
    "forced_eos_token_id": None,
}


@cache
def subwords() -> bytes:
    model = io.BytesIO()
    sentences = [f"{a} {b} {c} {a}{b}" for a in WORDS for b in WORDS for c in WORDS[::5]]
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, minloglevel=2, vocab_size=320, hard_vocab_limit=False,
        byte_fallback=True, pad_id=0, unk_id=1, bos_id=2, eos_id=3,
    )  # fmt: skip
    return model.getvalue()


def write(folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """A checkpoint in `folder`, and its sentencepiece model beside it as ``spm.model``."""
    from endash.text import ImportedTokenizer

    folder.mkdir(parents=True)
    config = {**CONFIG, "vocab_size": len(ImportedTokenizer(subwords())), **changes}
    save_file(parameters(config, seed), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder.parent / "spm.model").write_bytes(subwords())
    return folder


def parameters(config: dict[str, Any], seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, around: float = 0.0) -> Tensor:
        return around + 0.3 * torch.randn(*shape, generator=generator)

    size = config["vocab_size"]
    found = {"model.shared.weight": 2 * draw(size, WIDTH), "final_logits_bias": draw(1, size)}
    for side in ("encoder", "decoder"):
        inner = config[f"{side}_ffn_dim"]
        for number in range(config[f"{side}_layers"]):
            layer = f"model.{side}.layers.{number}"
            sublayers = ["self_attn", *(["encoder_attn"] if side == "decoder" else [])]
            for attention in sublayers:
                for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    found[f"{layer}.{attention}.{name}.weight"] = draw(WIDTH, WIDTH)
                    found[f"{layer}.{attention}.{name}.bias"] = draw(WIDTH)
            for name in [f"{one}_layer_norm" for one in (*sublayers, "final")]:
                found[f"{layer}.{name}.weight"] = draw(WIDTH, around=1.0)
                found[f"{layer}.{name}.bias"] = draw(WIDTH)
            found |= {f"{layer}.fc1.weight": draw(inner, WIDTH), f"{layer}.fc1.bias": draw(inner)}
            found |= {f"{layer}.fc2.weight": draw(WIDTH, inner), f"{layer}.fc2.bias": draw(WIDTH)}
    return found


def logits(given: dict[str, Tensor], source: list[int], begun: list[int]) -> Tensor:
    """(T, V) of one sentence, as Marian computes it (marian-nmt's transformer.h), with nothing shared with the package."""
    memory = _side(given, "encoder", source, None)
    hidden = _side(given, "decoder", begun, memory)
    return linear(hidden, given["model.shared.weight"], given["final_logits_bias"][0])


def _side(given: dict[str, Tensor], side: str, tokens: list[int], memory: Tensor | None) -> Tensor:
    rates = torch.tensor([10_000 ** (-2 * i / WIDTH) for i in range(WIDTH // 2)])
    angles = torch.arange(len(tokens))[:, None] * rates
    x = given["model.shared.weight"][tokens] * math.sqrt(WIDTH) + torch.cat([angles.sin(), angles.cos()], 1)
    for number in range(LAYERS[side]):
        layer = f"model.{side}.layers.{number}"
        x = _norm(given, f"{layer}.self_attn", x + _attend(given, f"{layer}.self_attn", x, x, side))
        if memory is not None:
            read = _attend(given, f"{layer}.encoder_attn", x, memory, "decoder", causal=False)
            x = _norm(given, f"{layer}.encoder_attn", x + read)
        inner = linear(x, given[f"{layer}.fc1.weight"], given[f"{layer}.fc1.bias"])
        inner = inner * inner.sigmoid()
        x = _norm(given, f"{layer}.final", x + linear(inner, given[f"{layer}.fc2.weight"], given[f"{layer}.fc2.bias"]))
    return x


def _norm(given: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return layer_norm(x, [WIDTH], given[f"{name}_layer_norm.weight"], given[f"{name}_layer_norm.bias"])


def _attend(
    given: dict[str, Tensor], name: str, x: Tensor, read: Tensor, side: str, *, causal: bool | None = None
) -> Tensor:
    query, key, value = (
        linear(of, given[f"{name}.{one}_proj.weight"], given[f"{name}.{one}_proj.bias"])
        for one, of in (("q", x), ("k", read), ("v", read))
    )
    hide = side == "decoder" if causal is None else causal
    heads = []
    for head in torch.arange(WIDTH).chunk(HEADS[side]):
        scores = query[:, head] @ key[:, head].T / math.sqrt(len(head))
        if hide:
            scores = scores + torch.full(scores.shape, float("-inf")).triu(1)
        heads.append(scores.softmax(1) @ value[:, head])
    return linear(torch.cat(heads, 1), given[f"{name}.out_proj.weight"], given[f"{name}.out_proj.bias"])
