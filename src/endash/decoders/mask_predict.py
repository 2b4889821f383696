"""The mask-predict decoder. Shapes: B batch, T target positions, D width."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from endash.decoders.registry import decoders
from endash.decoders.self_attention import SelfAttentionConfig, SelfAttentionDecoder
from endash.parts.contracts import AtOnceDecoder, OpenLink


class MaskPredictConfig(SelfAttentionConfig):
    """Settings of the mask-predict decoder."""

    kind: Literal["mask-predict"] = "mask-predict"


@decoders.register
class MaskPredictDecoder(SelfAttentionDecoder, AtOnceDecoder):
    """A Transformer decoder that writes all positions at once and refines the least certain (Ghazvininejad et al. 2019).

    The conditional masked language model of their section 2: self-attention sees all positions, on both sides; those that are
    not known hold the mask token. Training hides a random share of the target (`objectives.masked`), search writes all of it
    and then again and again what it is least certain of (`decoding.mask_predict`).

    Departures: the end of sentence is a position too, known from the beginning, since the length tells it; the mask token is
    `<unk>`, which no text is spelled with; and the length is predicted by a head on the memory's summary (`LengthHead`).
    """

    Config = MaskPredictConfig

    def forward(self, inputs_BTD: Tensor, mask_BT: Tensor, link: OpenLink) -> Tensor:
        """Hidden states of all positions; see `AtOnceDecoder`."""
        return self._run(inputs_BTD, mask_BT[:, None], link)
