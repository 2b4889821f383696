"""The weights of a Marian checkpoint of transformers in an endash network, for measuring both on the same work.

Shapes: B batch, T positions, K beams, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from endash.decoders.transformer import TransformerDecoderConfig
from endash.encoders.transformer import TransformerEncoderConfig
from endash.heads import HeadConfig
from endash.links.cross_attention import CrossAttentionConfig
from endash.network import Network


class MarianPositions(nn.Module):
    """Sinusoidal positions with all sines in front of all cosines, as Marian has them; endash interleaves the two."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        rate = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        angles = torch.arange(length, dtype=torch.float64)[:, None] * rate
        self.table = torch.cat([angles.sin(), angles.cos()], dim=1).float()

    def forward(self, vectors_BTD: Tensor, *, first: int | None = None) -> Tensor:
        """As `endash.parts.positions.AbsolutePositions.forward`."""
        span = slice(0, vectors_BTD.shape[1]) if first is None else slice(first, first + 1)
        return vectors_BTD + self.table[span].to(vectors_BTD)


def network_of(marian: Any) -> Network:
    """An endash network with the parameters of a MarianMTModel, ready to decode.

    Raises AssertionError for a checkpoint of another form than that of the benchmark, or parameters left over.
    """
    config = marian.config
    assert config.scale_embedding, "endash scales embeddings by √D"
    assert config.share_encoder_decoder_embeddings, "the copy is of one embedding"
    assert config.decoder_start_token_id == 2, "endash starts a target with token 2"
    assert config.pad_token_id == 0, "endash pads with token 0"
    network = Network(
        TransformerEncoderConfig.model_validate(_side(config, "encoder")),
        CrossAttentionConfig(heads=config.decoder_attention_heads),
        TransformerDecoderConfig.model_validate(_side(config, "decoder")),
        head=HeadConfig(tie="all"),
        source_size=config.vocab_size,
        target_size=config.vocab_size,
    )
    network.load_state_dict(_parameters(marian.state_dict(), config))
    network.encoder.positions = MarianPositions(config.d_model, config.max_position_embeddings)
    network.decoder.positions = MarianPositions(config.d_model, config.max_position_embeddings)
    return network.eval()


def _side(config: Any, side: str) -> dict[str, Any]:
    return {
        "width": config.d_model,
        "layers": getattr(config, f"{side}_layers"),
        "heads": getattr(config, f"{side}_attention_heads"),
        "feed_forward": getattr(config, f"{side}_ffn_dim"),
        "activation": config.activation_function,
        "norm": "post",
    }


def _parameters(marian: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """The parameters under endash's names."""
    shared = marian["model.shared.weight"]
    found = dict.fromkeys(("source_embedding.weight", "target_embedding.weight", "head.weight"), shared)
    found["head.bias"] = marian["final_logits_bias"][0]
    for side in ("encoder", "decoder"):
        for number in range(getattr(config, f"{side}_layers")):
            theirs, ours = f"model.{side}.layers.{number}", f"{side}.layers.{number}"
            found |= _attention(marian, f"{theirs}.self_attn", f"{ours}.attention")
            copies = {
                "fc1": "feed_forward.inner",
                "fc2": "feed_forward.output",
                "self_attn_layer_norm": "around_attention.norm",
                "final_layer_norm": "around_feed_forward.norm",
            }
            if side == "decoder":
                copies["encoder_attn_layer_norm"] = "around_link.norm"
                found |= _attention(marian, f"{theirs}.encoder_attn", f"link.attention.{number}")
            for their, our in copies.items():
                for kind in ("weight", "bias"):
                    found[f"{ours}.{our}.{kind}"] = marian[f"{theirs}.{their}.{kind}"]
    return found


def _attention(marian: dict[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    found = {}
    for kind in ("weight", "bias"):
        query, key, value, out = (marian[f"{theirs}.{name}_proj.{kind}"] for name in ("q", "k", "v", "out"))
        found |= {f"{ours}.query.{kind}": query, f"{ours}.output.{kind}": out}
        found[f"{ours}.key_value.{kind}"] = torch.cat([key, value])
    return found
