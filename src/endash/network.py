"""Embeddings, encoder, link, decoder and head as one torch module: token ids in, scores out.

Shapes: B batch, S source, T target, K beams, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from endash import combination
from endash.config import Config
from endash.encoders.variational import VariationalConfig, draw
from endash.encoding import Batch, SourceNetwork, scaled
from endash.errors import RecipeError
from endash.heads import CtcHead, Head, HeadConfig, LengthHead, PointerHead
from endash.links import links
from endash.memory import Memory
from endash.objectives.cross_entropy import Loss
from endash.objectives.ctc import with_ctc
from endash.objectives.elbo import drop_words, elbo
from endash.objectives.masked import draw_hidden, joined
from endash.parts.contracts import AtOnceDecoder, InOrderDecoder, OpenLink, PartConfig
from endash.parts.masks import hide, real
from endash.registry import kind_of

__all__ = ["BOS", "UNKNOWN", "Batch", "Network", "Watched", "Written"]

BOS = 2  # the token that every target starts from
UNKNOWN = 1  # stands for a token that is not known: <unk>, with which no text is spelled


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


class Network(SourceNetwork):
    """An encoder, a link and a decoder between embeddings and a head.

    One that embeds no source tokens (`SourceNetwork`) shares no embedding with its source; copying needs a source of tokens.

    A decoder that writes at once is given the target with `UNKNOWN` in place of each token that it shall predict; its score of
    a target is that of the first pass, in which it knows the length alone, and the end of sentence has the score of the length.
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
        alike: bool = False,
    ) -> None:
        super().__init__(encoder, source_size=source_size, passages=passages, frontend=frontend, alike=alike)
        _check_head(encoder, frontend, head, passages=passages)
        shared = self.source_embedding if head.tie == "all" else None
        self.target_embedding = shared if shared is not None else nn.Embedding(target_size, decoder.width)
        self.segment_embedding = self.marks(encoder, passages)
        self.variational = encoder if isinstance(encoder, VariationalConfig) else None
        self.keeps_layers = "layers" in links[kind_of(link)].needs_of(link)
        self.encoder, self.link, self.decoder = combination.build(encoder, link, decoder, segments=1 + passages)
        tied = None if head.tie == "none" else self.target_embedding
        self.head = (
            PointerHead(decoder.width, target_size, tied=tied, memory_width=encoder.width)
            if head.pointer
            else Head(decoder.width, target_size, tied=tied)
        )
        self.lengths = LengthHead(encoder.width) if self.decoder.writes == "at once" else None
        self.ctc, self.ctc_share = CtcHead(encoder.width, target_size) if head.ctc else None, head.ctc
        self.initialise()
        if isinstance(self.head, PointerHead):
            self.head.start_copying()

    def open(self, memory: Memory, *, watch: bool = False) -> OpenLink:
        """The link opened for a memory; `watch` keeps the weights of each read."""
        return OpenLink(self.link, self.link.open(memory), copyable=self.head.open(memory), watch=watch)

    def decode(self, given_BT: Tensor, link: OpenLink) -> Tensor:
        """Hidden states (B, T, D) from which each target token is predicted; `given_BT` as `given` makes it of a target."""
        if isinstance(self.decoder, AtOnceDecoder):
            hidden: Tensor = self.decoder(scaled(self.target_embedding, given_BT), real(given_BT), link)
        else:
            hidden = self.decoder(scaled(self.target_embedding, _inputs(given_BT)), link)
        return hidden

    def given(self, target_BT: Tensor, hidden_BT: Tensor | None = None) -> Tensor:
        """The target as the decoder is given it: whole, or at once with `hidden_BT` unknown, by default all but the end."""
        if self.lengths is None:
            return target_BT
        return target_BT.masked_fill(_words(target_BT) if hidden_BT is None else hidden_BT, UNKNOWN)

    def forward(self, batch: Batch) -> Tensor:
        """Unnormalised log-probabilities (B, T, V) of every target position."""
        return self.fill(self.given(batch.target), self.open(self.encode(batch.source, batch.passages)))

    def fill(self, given_BT: Tensor, link: OpenLink) -> Tensor:
        """Unnormalised log-probabilities (B, T, V) of what stands at each position of what a decoder is given."""
        scores: Tensor = self.head(self.decode(given_BT, link), link.copyable, _traces(given_BT, link))
        return scores

    def length_scores(self, memory: Memory, lengths_BN: Tensor) -> Tensor:
        """(B, N) log-probability of targets of so many tokens, the end included, from a network that writes at once."""
        assert self.lengths is not None
        scores: Tensor = self.lengths(memory, lengths_BN)
        return scores

    def loss(self, batch: Batch, *, label_smoothing: float, progress: float = 1.0) -> Loss:
        """What training minimises when `progress` of it, 0 to 1, is done.

        See `Head.loss`, `objectives.masked` for a decoder that writes at once, `objectives.ctc` for what the encoder tells by
        itself, and `objectives.elbo` for a variational model, which draws its latent vectors, and so asks torch's generator, also
        where it is not training.
        """
        memory, target = self.encode(batch.source, batch.passages), batch.target
        if self.variational and not self.training:
            memory = draw(memory)
        loss = self._loss_of(target, memory, label_smoothing=label_smoothing)
        if self.ctc is not None:
            loss = with_ctc(loss, self.ctc.loss(memory, target), self.ctc_share)
        if self.variational is None:
            return loss
        assert memory.latent is not None
        return elbo(loss, memory.latent, self.variational, progress=progress)

    def score(self, memory: Memory, target_BT: Tensor) -> Tensor:
        """(B, T) log-probability of each target token, 0 at padding."""
        return self._of_target(self.fill(self.given(target_BT), self.open(memory)), target_BT, memory)

    def watch(self, memory: Memory, target_BT: Tensor) -> Watched:
        """What is read, copied and scored while this target is written, by a decoder that writes at once in its first pass."""
        link, given = self.open(memory, watch=True), self.given(target_BT)
        hidden, traces = self.decode(given, link), _traces(given, link)
        return Watched(
            scores=self._of_target(self.head(hidden, link.copyable, traces), target_BT, memory),
            weights=torch.stack([link.seen[layer] for layer in sorted(link.seen)], 1) if link.seen else None,
            copied=self.head.copied(hidden, link.copyable, traces),
        )

    def start(self, link: OpenLink) -> Written:
        """What is carried before the first token: one beam a row."""
        return Written(self._in_order.start(link), link.copyable.no_traces() if link.copyable else None)

    def step(self, tokens_BK: Tensor, link: OpenLink, written: Written) -> tuple[Tensor, Written]:
        """Unnormalised log-probabilities (B, K, V) of what follows these tokens, and what is carried after them."""
        hidden, state = self._in_order.step(scaled(self.target_embedding, tokens_BK), link, written.decoder)
        traces = None
        if link.copyable is not None:
            assert written.traces is not None
            traces = link.copyable.follow(tokens_BK, written.traces)
        return self.head(hidden, link.copyable, traces).float(), Written(state, traces)

    @property
    def _in_order(self) -> InOrderDecoder:
        assert isinstance(self.decoder, InOrderDecoder)
        return self.decoder

    def _loss_of(self, target_BT: Tensor, memory: Memory, *, label_smoothing: float) -> Loss:
        """The loss of a target, given a memory."""
        link = self.open(memory)
        if self.lengths is None:
            return self._loss(target_BT, real(target_BT), link, label_smoothing=label_smoothing)
        words = _words(target_BT)
        hidden = draw_hidden(words) if self.training else words
        asked = self._loss(target_BT, hidden, link, label_smoothing=label_smoothing) if hidden.any() else None
        lengths = self.lengths.loss(memory, real(target_BT).sum(1))
        return joined(asked, lengths, tokens=int(real(target_BT).sum()))

    def _loss(self, target_BT: Tensor, asked_BT: Tensor, link: OpenLink, *, label_smoothing: float) -> Loss:
        """The loss of the target's tokens that are asked for; a decoder that writes at once is not given them."""
        given = self.given(target_BT, asked_BT)
        traces = _traces(given, link)
        if self.variational and self.training:
            given = drop_words(given, _words(target_BT), self.variational.word_dropout, unknown=UNKNOWN)
        hidden = self.decode(given, link)
        return self.head.loss(hidden, target_BT, asked_BT, link.copyable, traces, label_smoothing=label_smoothing)

    def _of_target(self, scores_BTV: Tensor, target_BT: Tensor, memory: Memory) -> Tensor:
        """(B, T) log-probability of each token of a target; the length tells where the end is, if that is known beforehand."""
        log_probability = scores_BTV.float().log_softmax(-1).gather(2, target_BT[:, :, None])
        of_target = hide(log_probability, real(target_BT))[:, :, 0]
        if self.lengths is None:
            return of_target
        of_length_B1 = self.length_scores(memory, real(target_BT).sum(1, keepdim=True))
        return torch.where(real(target_BT) & ~_words(target_BT), of_length_B1, of_target)


def _check_head(encoder: PartConfig, frontend: Config | None, head: HeadConfig, *, passages: int) -> None:
    """Raise RecipeError where a head asks for embedded source tokens, or tokens at all, and there are none; or for one source."""
    if reason := head.why_not_ctc(encoder, joins=passages):
        raise RecipeError(reason)
    if frontend is None and encoder.reads == "vectors":
        return
    if head.tie == "all" and (reason := head.why_not(joint=True, encoder_width=None, decoder_width=0)):
        raise RecipeError(reason)
    if head.pointer and (frontend is not None or encoder.reads != "tokens"):
        raise RecipeError("head.pointer = true copies source tokens, and this network reads none: set it to false")


def _words(target_BT: Tensor) -> Tensor:
    """True at each token (B, T) but the end of sentence, which is the last, and padding."""
    return nn.functional.pad(real(target_BT)[:, 1:], (0, 1))


def _inputs(target_BT: Tensor) -> Tensor:
    """What the decoder has read when it writes each target token."""
    return torch.cat([torch.full_like(target_BT[:, :1], BOS), target_BT[:, :-1]], 1)


def _traces(given_BT: Tensor, link: OpenLink) -> Tensor | None:
    return link.copyable.traces(_inputs(given_BT)) if link.copyable else None
