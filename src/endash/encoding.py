"""From a source to its memory: what every network has in common, whether it then writes a target or labels.

Shapes: B batch, S source positions, P positions of a passage, T target, W words, D width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from endash.config import Config
from endash.errors import RecipeError
from endash.frontends import frontends
from endash.memory import Memory
from endash.parts.contracts import Encoder, Frontend, Padded, PartConfig
from endash.parts.fused import embed, fused
from endash.parts.masks import real


@dataclass(frozen=True)
class Batch:
    """Token ids, padded with 0.

    Attributes:
        source: (B, S), each row ending in eos; or, for a network that reads no tokens, what its frontend or encoder reads.
        target: (B, T), each row ending in eos; the network puts bos in front. For one that writes labels, the labels.
        passages: further sources (B, P), read together with the first; a row may be empty.
        places: (B, W), where in the source the first token of each word stands that has a label, counted from 1.
    """

    source: Tensor | Padded
    target: Tensor
    passages: tuple[Tensor, ...] = ()
    places: Tensor | None = None


class SourceNetwork(nn.Module):
    """A network that begins with an encoder: token ids in, or what a frontend or the encoder itself reads; a memory out.

    Embeddings are multiplied by √D (Vaswani et al. 2017, section 3.4). With `passages`, a learned vector tells which of
    the joined sources a position belongs to, and whether its token stands both in the source and in that passage. Where passages
    are marked `alike`, it tells no more than that a position is of a passage: what one becomes hangs neither on the source nor on
    the others, and `encode_joined` can make it beforehand.

    There is no source embedding where a `frontend` makes the vectors, or where the encoder reads the source itself. Such an
    encoder of tokens reads each passage by itself, unmarked; of what is no tokens nothing is joined.

    A network that is built on this one makes its own `segment_embedding`, by `marks`, and its own `encoder`, in an order that
    stays: parameters are drawn in it.
    """

    encoder: Encoder
    segment_embedding: nn.Embedding | None

    def __init__(
        self, encoder: PartConfig, *, source_size: int, passages: int, frontend: Config | None, alike: bool = False
    ) -> None:
        super().__init__()
        _check_source(encoder, frontend, passages=passages)
        embeds = frontend is None and encoder.reads == "vectors"
        self.source_embedding = nn.Embedding(source_size, encoder.input_width) if embeds else None
        self.frontend: Frontend | None = (
            frontends.build(frontend, width=encoder.input_width) if frontend is not None else None
        )
        self.keeps_layers, self.alike = False, alike

    def encode(self, source: Tensor | Padded, passages: tuple[Tensor, ...] = ()) -> Memory:
        """The memory of token ids, its passages joined to it; or of what the frontend or the encoder reads."""
        if isinstance(source, Padded):
            return self._read(self.frontend(source) if self.frontend is not None else source, tokens=None)
        sources = (source, *passages)
        if self.source_embedding is None:
            memory, *others = (self._read(Padded(one, real(one)), tokens=one) for one in sources)
        elif self.alike:
            memory, *others = (self._embed_and_read(one, _all(one, min(k, 1))) for k, one in enumerate(sources))
        else:
            marks = (2 * k + shared.int() for k, shared in enumerate(_shared(source, passages)))
            memory, *others = map(self._embed_and_read, sources, marks)
        return memory.join(*others) if others else memory

    def encode_joined(self, tokens_BP: Tensor) -> Memory:
        """The memory of passages alone, as `encode` makes it beside a source, by a network that marks them alike."""
        assert self.alike
        return self._embed_and_read(tokens_BP, _all(tokens_BP, 1))

    def marks(self, encoder: PartConfig, passages: int) -> nn.Embedding | None:
        """What marks a position as that of the source or of a passage, and its token as one of both; None where nothing does."""
        if not passages or self.source_embedding is None:
            return None
        return nn.Embedding(2 if self.alike else 2 * (1 + passages), encoder.input_width)

    def initialise(self) -> None:
        """Matrices uniform by fan-in and fan-out (Glorot & Bengio 2010), embeddings normal with variance 1/D."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)

    def _embed_and_read(self, tokens_BS: Tensor, marks_BS: Tensor) -> Memory:
        assert self.source_embedding is not None
        vectors = scaled(self.source_embedding, tokens_BS)
        if self.segment_embedding is not None:
            vectors = vectors + scaled(self.segment_embedding, marks_BS)
        return self._read(Padded(vectors, real(tokens_BS)), tokens=tokens_BS)

    def _read(self, source: Padded, *, tokens: Tensor | None) -> Memory:
        memory: Memory = self.encoder(source.values, source.mask)
        return replace(memory, layers=memory.layers if self.keeps_layers else (), tokens=tokens)


def scaled(embedding: nn.Embedding, tokens: Tensor) -> Tensor:
    """The embeddings of token ids, √D times."""
    scale = math.sqrt(embedding.embedding_dim)
    if fused(embedding.weight):
        return embed(tokens, embedding.weight, scale)
    vectors: Tensor = embedding(tokens)
    return vectors * scale


def _check_source(encoder: PartConfig, frontend: Config | None, *, passages: int) -> None:
    """Raise RecipeError where two make the vectors, or something shall be joined to what is no tokens."""
    if frontend is not None and encoder.reads != "vectors":
        raise RecipeError(
            f"encoder.kind = {encoder.kind!r} reads {encoder.reads} itself, and a frontend gives vectors: leave one out"
        )
    if passages and (frontend is not None or encoder.reads in {"pixels", "samples"}):
        raise RecipeError(
            "what is joined to a source, such as the passages of [retrieval], is tokens, and this network reads none: "
            "leave it out"
        )


def _all(tokens_BS: Tensor, mark: int) -> Tensor:
    return torch.full_like(tokens_BS, mark, dtype=torch.int)


def _shared(source_BS: Tensor, passages: tuple[Tensor, ...]) -> list[Tensor]:
    """For the source and each passage (B, S): which tokens of the source stand in a passage, and of a passage in the source."""
    equal = [source_BS[:, :, None] == passage[:, None] for passage in passages]
    in_passage = torch.zeros_like(source_BS, dtype=torch.bool)
    for one in equal:
        in_passage = in_passage | one.any(2)
    return [in_passage, *(one.any(1) for one in equal)]
