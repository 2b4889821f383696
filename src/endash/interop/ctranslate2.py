"""A model as CTranslate2 runs it: its own specification is filled with the parameters, and writes the files.

What it can express is a Transformer encoder and decoder with cross-attention. Positions are written as tables, for the sinusoids
that CTranslate2 makes by itself are of another kind.

Shapes: D width, H heads, K head width, G key-value heads, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from endash.decoders.transformer import TransformerDecoderConfig
from endash.encoders.transformer import TransformerEncoderConfig
from endash.errors import ModelError
from endash.files import whole_folder
from endash.interop.parity import Parity, beside_ctranslate2
from endash.links.cross_attention import CrossAttentionConfig
from endash.model import Model
from endash.parts.positions import AbsolutePositions, PositionKind
from endash.recipe import Recipe
from endash.registry import kind_of
from endash.text import BOS, EOS, UNK

_ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "silu": "SWISH", "silu-gated": "SWISH"}
_PARAMETERS = "model.bin"
_POSITIONS = 1024  # positions of a table at least: the longest source that CTranslate2 takes unasked


def why_not(recipe: Recipe) -> list[str]:
    """What of a model CTranslate2 cannot express, each with the setting that it comes from; nothing where it can."""
    encoder, link, decoder = recipe.encoder, recipe.link, recipe.decoder
    reasons = []
    if recipe.does.reads != "text":
        reasons.append(f"sources that are {recipe.does.reads}")
    if not isinstance(encoder, TransformerEncoderConfig):
        reasons.append(f"encoder.kind = {encoder.kind!r}")
    elif not encoder.bidirectional:
        reasons.append("encoder.bidirectional = false")
    if not isinstance(link, CrossAttentionConfig):
        reasons.append(f"link.kind = {kind_of(link)!r}")
    if not isinstance(decoder, TransformerDecoderConfig):
        reasons.append(f"decoder.kind = {decoder.kind!r}")
    elif isinstance(link, CrossAttentionConfig) and link.heads != decoder.heads:
        reasons.append(f"link.heads = {link.heads} beside decoder.heads = {decoder.heads}")
    if recipe.head.pointer:
        reasons.append("head.pointer = true")
    if recipe.retrieval is not None:
        reasons.append("[retrieval]")
    elif recipe.joins:
        reasons.append(f"task.kind = {kind_of(recipe.task)!r}, which joins sources")
    return reasons


def check_expressible(recipe: Recipe) -> None:
    """Raise ModelError naming all of a model that CTranslate2 cannot express, or saying that ctranslate2 is not installed."""
    if reasons := why_not(recipe):
        raise ModelError(
            f"CTranslate2 cannot express {' and '.join(reasons)}: it knows a bidirectional encoder and a decoder of kind "
            "'transformer', link.kind = 'cross-attention' with the decoder's heads, no pointer and no [retrieval]; train such a "
            "model, or use this one with endash"
        )
    if find_spec("ctranslate2") is None:
        raise ModelError('ctranslate2, which writes its own files, is not installed: pip install "endash[ctranslate2]"')


def export_ctranslate2(model: Model, path: str | Path, texts: Sequence[str]) -> Parity:
    """Write `model` as CTranslate2 loads it, and its vocabularies into ``text/``; what both make of `texts` is compared.

    Until all is written and compared, what stood at `path` stays. Raises ModelError for a model that CTranslate2 cannot express,
    where ctranslate2 is not installed, where another thing stands at `path`, and where the two do not compute the same.
    """
    check_expressible(model.recipe)
    check_replaceable(Path(path))
    try:
        with whole_folder(Path(path)) as writing:
            _write(model, writing)
            return beside_ctranslate2(model, writing, texts).check()
    except OSError as error:
        raise ModelError(
            f"{path}: the model cannot be written ({error.strerror or error}): free some space or name another place"
        ) from error


def check_replaceable(path: Path) -> None:
    """Raise ModelError if there is something at `path` that an export there would destroy."""
    if path.exists() and not (path.is_dir() and ((path / _PARAMETERS).exists() or not any(path.iterdir()))):
        raise ModelError(
            f"{path} is there already and is no model of CTranslate2: export into a new folder, so that nothing is lost"
        )


def _write(model: Model, folder: Path) -> None:
    codec = model.codec
    spec = _spec(model)
    spec.register_source_vocabulary(codec.source.pieces(range(len(codec.source))))
    spec.register_target_vocabulary(codec.target.pieces(range(len(codec.target))))
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = codec.target.pieces([UNK, BOS, EOS])
    spec.config.decoder_start_token = spec.config.bos_token
    spec.config.add_source_eos = True
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    codec.save(folder / "text")
    (folder / "README.md").write_text(_card(model), encoding="utf-8")


def _spec(model: Model) -> Any:
    """CTranslate2's TransformerSpec with the parameters of a model."""
    from ctranslate2.specs import TransformerDecoderSpec, TransformerEncoderSpec, TransformerSpec

    encoder, link, decoder = model.recipe.encoder, model.recipe.link, model.recipe.decoder
    assert isinstance(encoder, TransformerEncoderConfig)
    assert isinstance(link, CrossAttentionConfig)
    assert isinstance(decoder, TransformerDecoderConfig)
    spec = TransformerSpec(
        TransformerEncoderSpec(encoder.layers, encoder.heads, **_settings(encoder)),
        TransformerDecoderSpec(decoder.layers, decoder.heads, **_settings(decoder)),
    )
    filling = _Filling(model)
    filling.copy(spec.encoder.embeddings[0], "source_embedding", "weight")
    filling.copy(spec.decoder.embeddings, "target_embedding", "weight")
    filling.copy(spec.decoder.projection, "head", "weight", "bias")
    for side, settings in (("encoder", encoder), ("decoder", decoder)):
        theirs = getattr(spec, side)
        filling.positions(theirs, f"{side}.positions", kind=settings.positions, width=settings.width)
        if settings.norm == "pre":
            filling.norm(theirs.layer_norm, f"{side}.norm")
        for number, layer in enumerate(theirs.layer):
            filling.layer(layer, f"{side}.layers.{number}", gated=settings.activation == "silu-gated")
    for number, layer in enumerate(spec.decoder.layer):
        filling.norm(layer.attention.layer_norm, f"decoder.layers.{number}.around_link.norm")
        for linear, name in zip(layer.attention.linear, ("query", "key_value", "output"), strict=True):
            filling.copy(linear, f"link.attention.{number}.{name}", "weight", "bias")
        layer.attention.num_heads_kv = layer.attention.num_heads_kv.dtype.type(link.kv_heads or link.heads)
    return spec


def _settings(side: TransformerEncoderConfig | TransformerDecoderConfig) -> dict[str, Any]:
    """The arguments of CTranslate2's specification of an encoder or a decoder."""
    from ctranslate2.specs import Activation

    return {
        "pre_norm": side.norm == "pre",
        "activation": Activation[_ACTIVATIONS[side.activation]],
        "ffn_glu": side.activation == "silu-gated",
        "num_heads_kv": side.kv_heads or side.heads,
        "rotary_dim": 0 if side.positions == "rotary" else None,  # 0: all of a head
        "rotary_interleave": False,  # the first half of a head turns with the second
    }


class _Filling:
    """Fills a specification with the parameters of a model, by their names."""

    def __init__(self, model: Model) -> None:
        self.length = max(model.recipe.decoding.max_length(model.recipe.text.max_length), _POSITIONS)
        self.parameters = dict(model.network.named_parameters(remove_duplicate=False))

    def array(self, *names: str) -> Any:
        """The parameters of these names, one under the other, as a float32 array."""
        found = [self.parameters[name].detach() for name in names]
        return torch.cat(found).to("cpu", torch.float32).contiguous().numpy()

    def copy(self, theirs: Any, ours: str, *kinds: str) -> None:
        for kind in kinds:
            setattr(theirs, kind, self.array(f"{ours}.{kind}"))

    def norm(self, theirs: Any, ours: str) -> None:
        theirs.gamma, theirs.beta = self.array(f"{ours}.weight"), self.array(f"{ours}.bias")

    def positions(self, theirs: Any, ours: str, *, kind: PositionKind, width: int) -> None:
        """A table of positions; there is none where queries and keys turn."""
        if kind == "learned":
            theirs.position_encodings.encodings = self.array(f"{ours}.table")
        elif kind == "sinusoidal":
            positions = AbsolutePositions(kind, width, length=0)
            theirs.position_encodings.encodings = positions(torch.zeros(1, self.length, width))[0].numpy()

    def layer(self, theirs: Any, ours: str, *, gated: bool) -> None:
        """Self-attention and feed-forward: queries, keys and values are one matrix there."""
        itself = theirs.self_attention
        for kind in ("weight", "bias"):
            of = f"{ours}.attention"
            setattr(itself.linear[0], kind, self.array(f"{of}.query.{kind}", f"{of}.key_value.{kind}"))
        self.copy(itself.linear[1], f"{ours}.attention.output", "weight", "bias")
        self.norm(itself.layer_norm, f"{ours}.around_attention.norm")
        self.norm(theirs.ffn.layer_norm, f"{ours}.around_feed_forward.norm")
        self.copy(theirs.ffn.linear_1, f"{ours}.feed_forward.output", "weight", "bias")
        self.copy(theirs.ffn.linear_0, f"{ours}.feed_forward.inner", "weight", "bias")
        if gated:
            for kind in ("weight", "bias"):
                gate, inner = np.split(getattr(theirs.ffn.linear_0, kind), 2)
                setattr(theirs.ffn.linear_0, kind, gate)
                setattr(theirs.ffn.linear_0_noact, kind, inner)


def _card(model: Model) -> str:
    """What a user needs to know of the files: how to use them, and what of the search here is not in them."""
    search, target = model.recipe.decoding, model.codec.target
    never = [[piece] for piece in target.pieces(target.never_written)]
    beam = (
        f"beam_size={search.beam}, length_penalty={search.length_penalty}" if search.search == "beam" else "beam_size=1"
    )
    lines = [
        f"# {model.recipe.name}, for CTranslate2",
        "",
        "An encoder–decoder model, written by Endash. CTranslate2 is given tokens, which the vocabularies in `text/` make of text:",
        "",
        "```python",
        "import ctranslate2",
        "from endash.text import Codec",
        "",
        'codec = Codec.load("FOLDER/text")',
        'translator = ctranslate2.Translator("FOLDER", compute_type="int8")',
        'source = codec.encode_source("…")',
        "tokens = codec.source.pieces(source.tokens[:-1])  # CTranslate2 puts the end there itself",
        "[found] = translator.translate_batch(",
        f"    [tokens], {beam}, suppress_sequences={never}",
        ")",
        "ids = {piece: token for token, piece in enumerate(codec.target.pieces(range(len(codec.target))))}",
        "print(codec.decode_target([ids[piece] for piece in found.hypotheses[0]], source.placeholders))",
        "```",
        "",
    ]
    if target.slots:
        lines += [
            "Placeholders such as `{name}` are tokens of their own. `endash translate` writes each as often as it stands in the "
            "source; CTranslate2 has no such rule, so check that none is lost.",
            "",
        ]
    return "\n".join(lines)
