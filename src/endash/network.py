"""Embeddings, encoder, link, decoder and head as one torch module: token ids in, scores out.

Shapes: B batch, S source, T target, K beams, D width, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from endash import combination
from endash.config import Config
from endash.errors import RecipeError
from endash.frontends import frontends
from endash.heads import Head, HeadConfig, PointerHead
from endash.links import links
from endash.memory import Memory
from endash.objectives.cross_entropy import Loss
from endash.parts.contracts import OpenLink, Padded, PartConfig
from endash.parts.masks import hide, real

BOS = 2  # the token that every target starts from


@dataclass(frozen=True)
class Batch:
    """Token ids, padded with 0.

    Attributes:
        source: (B, S), each row ending in eos; or, for a network that reads no tokens, what its frontend or encoder reads.
        target: (B, T), each row ending in eos; the network puts bos in front.
        passages: further sources (B, P), read together with the first; a row may be empty.
    """

    source: Tensor | Padded
    target: Tensor
    passages: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Watched:
    """What a network did while it was made to write a target.

    Attributes:
        scores: (B, T) log-probability of each target token, 0 at padding.
        weights: (B, reads, H, T, S) what each target token read through the link; None for a link that reads no positions.
        copied: (B, T, S) the probability that each target token is a copy of each position; None for a head that copies nothing.
    """

    scores: Tensor
    weights: Tensor | None
    copied: Tensor | None


@dataclass(frozen=True)
class Written:
    """What a network carries of the target so far: the decoder's state, and the traces of a head that copies."""

    decoder: Any
    traces: Tensor | None

    def select(self, rows: Tensor) -> Written:
        """What is carried of these rows."""
        traces = None if self.traces is None else self.traces.index_select(0, rows)
        return Written(self.decoder.select(rows), traces)

    def reorder(self, parents_BK: Tensor) -> Written:
        """Beams that go on from their parents."""
        traces = self.traces
        if traces is not None:
            traces = traces.gather(1, parents_BK[:, :, None].expand(-1, -1, traces.shape[2]))
        return Written(self.decoder.reorder(parents_BK), traces)


class Network(nn.Module):
    """An encoder, a link and a decoder between embeddings and a head.

    Embeddings are multiplied by √D (Vaswani et al. 2017, section 3.4). With `passages`, a learned vector tells which of
    the joined sources a position belongs to, and whether its token stands both in the source and in that passage.

    There is no source embedding where a `frontend` makes the vectors, or where the encoder reads the source itself. Such a
    network shares no embedding with its source and joins no passages; copying needs a source of tokens.
    """

    def __init__(
        self,
        encoder: PartConfig,
        link: Config,
        decoder: PartConfig,
        *,
        head: HeadConfig,
        source_size: int,
        target_size: int,
        passages: int = 0,
        frontend: Config | None = None,
    ) -> None:
        super().__init__()
        _check_source(encoder, frontend, head, passages=passages)
        embeds = frontend is None and encoder.reads == "vectors"
        self.source_embedding = nn.Embedding(source_size, encoder.input_width) if embeds else None
        self.frontend = frontends.build(frontend, width=encoder.input_width) if frontend is not None else None
        shared = self.source_embedding if head.tie == "all" else None
        self.target_embedding = shared if shared is not None else nn.Embedding(target_size, decoder.width)
        self.segment_embedding = nn.Embedding(2 * (1 + passages), encoder.input_width) if passages else None
        self.keeps_layers = "layers" in links[combination.kind_of(link)].needs_of(link)
        self.encoder, self.link, self.decoder = combination.build(encoder, link, decoder, segments=1 + passages)
        tied = None if head.tie == "none" else self.target_embedding
        self.head = (
            PointerHead(decoder.width, target_size, tied=tied, memory_width=encoder.width)
            if head.pointer
            else Head(decoder.width, target_size, tied=tied)
        )
        self._initialise()

    def _initialise(self) -> None:
        """Matrices uniform by fan-in and fan-out (Glorot & Bengio 2010), embeddings normal with variance 1/D."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        if isinstance(self.head, PointerHead):
            self.head.start_copying()

    def encode(self, source: Tensor | Padded, passages: tuple[Tensor, ...] = ()) -> Memory:
        """The memory of token ids, its passages joined to it; or of what the frontend or the encoder reads."""
        if isinstance(source, Padded):
            return self._read(self.frontend(source) if self.frontend is not None else source, tokens=None)
        if self.source_embedding is None:
            return self._read(Padded(source, real(source)), tokens=source)
        sources = (source, *passages)
        memory, *others = map(self._embed_and_read, sources, range(len(sources)), _shared(source, passages))
        return memory.join(*others) if others else memory

    def open(self, memory: Memory, *, watch: bool = False) -> OpenLink:
        """The link opened for a memory; `watch` keeps the weights of each read."""
        return OpenLink(self.link, self.link.open(memory), copyable=self.head.open(memory), watch=watch)

    def decode(self, target_BT: Tensor, link: OpenLink) -> Tensor:
        """Hidden states (B, T, D) from which each target token is predicted."""
        hidden: Tensor = self.decoder(self._embed(self.target_embedding, _inputs(target_BT)), link)
        return hidden

    def forward(self, batch: Batch) -> Tensor:
        """Unnormalised log-probabilities (B, T, V) of every target position."""
        return self._scores(batch.target, self.open(self.encode(batch.source, batch.passages)))

    def loss(self, batch: Batch, *, label_smoothing: float) -> Loss:
        """What training minimises; see `Head.loss`."""
        link = self.open(self.encode(batch.source, batch.passages))
        return self.head.loss(
            self.decode(batch.target, link),
            batch.target,
            real(batch.target),
            link.copyable,
            _traces(batch.target, link),
            label_smoothing=label_smoothing,
        )

    def score(self, memory: Memory, target_BT: Tensor) -> Tensor:
        """(B, T) log-probability of each target token, 0 at padding."""
        return _of_target(self._scores(target_BT, self.open(memory)), target_BT)

    def watch(self, memory: Memory, target_BT: Tensor) -> Watched:
        """What is read, copied and scored while this target is written."""
        link = self.open(memory, watch=True)
        hidden, traces = self.decode(target_BT, link), _traces(target_BT, link)
        return Watched(
            scores=_of_target(self.head(hidden, link.copyable, traces), target_BT),
            weights=torch.stack([link.seen[layer] for layer in sorted(link.seen)], 1) if link.seen else None,
            copied=self.head.copied(hidden, link.copyable, traces),
        )

    def start(self, link: OpenLink) -> Written:
        """What is carried before the first token: one beam a row."""
        return Written(self.decoder.start(link), link.copyable.no_traces() if link.copyable else None)

    def step(self, tokens_BK: Tensor, link: OpenLink, written: Written) -> tuple[Tensor, Written]:
        """Unnormalised log-probabilities (B, K, V) of what follows these tokens, and what is carried after them."""
        hidden, state = self.decoder.step(self._embed(self.target_embedding, tokens_BK), link, written.decoder)
        traces = None
        if link.copyable is not None:
            assert written.traces is not None
            traces = link.copyable.follow(tokens_BK, written.traces)
        return self.head(hidden, link.copyable, traces).float(), Written(state, traces)

    def _scores(self, target_BT: Tensor, link: OpenLink) -> Tensor:
        scores: Tensor = self.head(self.decode(target_BT, link), link.copyable, _traces(target_BT, link))
        return scores

    def _embed_and_read(self, tokens_BS: Tensor, segment: int, shared_BS: Tensor) -> Memory:
        assert self.source_embedding is not None
        vectors = self._embed(self.source_embedding, tokens_BS)
        if self.segment_embedding is not None:
            vectors = vectors + self._embed(self.segment_embedding, 2 * segment + shared_BS.int())
        return self._read(Padded(vectors, real(tokens_BS)), tokens=tokens_BS)

    def _read(self, source: Padded, *, tokens: Tensor | None) -> Memory:
        memory: Memory = self.encoder(source.values, source.mask)
        return replace(memory, layers=memory.layers if self.keeps_layers else (), tokens=tokens)

    @staticmethod
    def _embed(embedding: nn.Embedding, tokens: Tensor) -> Tensor:
        vectors: Tensor = embedding(tokens)
        return vectors * math.sqrt(embedding.embedding_dim)


def _check_source(encoder: PartConfig, frontend: Config | None, head: HeadConfig, *, passages: int) -> None:
    """Raise RecipeError where something asks for embedded source tokens, or tokens at all, and there are none."""
    if frontend is not None and encoder.reads != "vectors":
        raise RecipeError(
            f"encoder.kind = {encoder.kind!r} reads {encoder.reads} itself, and a frontend gives vectors: leave one out"
        )
    if frontend is None and encoder.reads == "vectors":
        return
    if head.tie == "all" and (reason := head.why_not(joint=True, encoder_width=None, decoder_width=0)):
        raise RecipeError(reason)
    if head.pointer and (frontend is not None or encoder.reads != "tokens"):
        raise RecipeError("head.pointer = true copies source tokens, and this network reads none: set it to false")
    if passages:
        raise RecipeError("retrieval joins passages by the source embedding, and this network has none: leave it out")


def _of_target(scores_BTV: Tensor, target_BT: Tensor) -> Tensor:
    log_probability = scores_BTV.float().log_softmax(-1)
    return hide(log_probability.gather(2, target_BT[:, :, None]), real(target_BT))[:, :, 0]


def _inputs(target_BT: Tensor) -> Tensor:
    """What the decoder has read when it writes each target token."""
    return torch.cat([torch.full_like(target_BT[:, :1], BOS), target_BT[:, :-1]], 1)


def _traces(target_BT: Tensor, link: OpenLink) -> Tensor | None:
    return link.copyable.traces(_inputs(target_BT)) if link.copyable else None


def _shared(source_BS: Tensor, passages: tuple[Tensor, ...]) -> list[Tensor]:
    """For the source and each passage (B, S): which tokens of the source stand in a passage, and of a passage in the source."""
    equal = [source_BS[:, :, None] == passage[:, None] for passage in passages]
    in_passage = torch.zeros_like(source_BS, dtype=torch.bool)
    for one in equal:
        in_passage = in_passage | one.any(2)
    return [in_passage, *(one.any(1) for one in equal)]
