"""The head: from hidden states to scores over the vocabulary, or from a memory to scores of labels.

Shapes: B batch, Q queries (T target positions in training, K beams in search), S source, D width, V vocabulary, N tokens,
W words, L labels.
`traces_BQS` are those of `Copyable`, None where nothing is copied.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from endash.config import Config
from endash.memory import Memory
from endash.objectives.cross_entropy import Copies, Loss, projected_cross_entropy
from endash.objectives.ctc import ctc
from endash.parts.contracts import PartConfig
from endash.parts.copyable import LONGEST_RUN, Copyable, run
from endash.parts.dropout import Dropout
from endash.parts.masks import hide, mean, score_bias

Each = Literal["source", "word"]
"""What has a label: a whole source with what is joined to it, or each word of a source."""

_REACH = 128  # the largest difference between the lengths of source and target that is told from larger ones


class HeadConfig(Config):
    """Section ``[head]`` of a recipe."""

    tie: Literal["all", "target", "none"] = Field(
        "all",
        description="what shares one matrix: source embedding, target embedding and projection; the last two; nothing",
    )
    pointer: bool = Field(False, description="copy tokens of the source and of what is joined to it; needs text.joint")
    ctc: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the loss that is the encoder's own: to tell the target in the source's order",
    )

    def why_not(self, *, joint: bool, encoder_width: int | None, decoder_width: int) -> str | None:
        """Why this head does not go with these vocabularies and widths: a sentence with what to do; None where it does.

        `encoder_width` is that of the source's embedding, None where there is none.
        """
        if self.pointer and not joint:
            return "head.pointer = true copies source tokens into the target, and text.joint = false gives them other ids: set text.joint = true"
        if self.tie != "all":
            return None
        if not joint:
            return "head.tie = 'all' shares one embedding, and text.joint = false has two vocabularies: set text.joint = true or head.tie = 'target'"
        if encoder_width is None:
            return "head.tie = 'all' shares the source embedding, and this encoder is given no embedded tokens: set head.tie = 'target'"
        if encoder_width != decoder_width:
            return (
                f"head.tie = 'all' shares one embedding, and encoder.width = {encoder_width} is not "
                f"decoder.width = {decoder_width}: make them equal, or set head.tie = 'target'"
            )
        return None

    def why_not_ctc(self, encoder: PartConfig, *, joins: int) -> str | None:
        """Why no target can be told from the positions of this encoder's memory; None where it can, or need not."""
        if self.ctc == 0:
            return None
        if joins:
            return "head.ctc tells the target from one source in its order, and more is joined to it here: set head.ctc = 0"
        if encoder.kind == "variational":
            return "head.ctc asks each position of the source, and those of a variational model are all alike: set head.ctc = 0"
        return None


class Head(nn.Module):
    """scores = W h + b; W may be the target embedding's own matrix (Press & Wolf 2017)."""

    def __init__(self, width: int, vocabulary: int, *, tied: nn.Embedding | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocabulary, width) * width**-0.5) if tied is None else tied.weight
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def open(self, memory: Memory) -> Copyable | None:
        """What the head keeps of a memory to copy from: nothing."""
        return None

    def forward(self, hidden_BQD: Tensor, copyable: Copyable | None, traces_BQS: Tensor | None) -> Tensor:
        """Unnormalised log-probabilities (B, Q, V), in the precision of the parameters: bfloat16 would make many of them equal."""
        with torch.autocast(hidden_BQD.device.type, enabled=False):
            return nn.functional.linear(hidden_BQD.to(self.weight.dtype), self.weight, self.bias)

    def copied(self, hidden_BQD: Tensor, copyable: Copyable | None, traces_BQS: Tensor | None) -> Tensor | None:
        """(B, Q, S): the probability that what is written is a copy of each position; None where nothing is copied."""
        return None

    def loss(
        self,
        hidden_BTD: Tensor,
        target_BT: Tensor,
        real_BT: Tensor,
        copyable: Copyable | None,
        traces_BTS: Tensor | None,
        *,
        label_smoothing: float,
    ) -> Loss:
        """Cross-entropy of the real target tokens; padding is not projected."""
        return projected_cross_entropy(
            hidden_BTD[real_BT], self.weight, self.bias, target_BT[real_BT], label_smoothing=label_smoothing
        )


class PointerHead(Head):
    """p(v) = g · softmax(W h + b)_v + (1 - g) · Σ_i α_i [x_i = v] (See et al. 2017, equation 9).

    α = softmax((W_q h) · (W_k m_i + W_b m_{i-1}) / √D + c(t_i)) over the memory's states m_i, whose tokens are x_i; the
    gate is g = σ(w · h + u · Σ_i α_i m_i - d(max r)). t_i is the trace of position i and r_i the run in it (`Copyable`): how
    much of what was written last stands right before it, and whether it was copied itself. So a copy goes on where it is,
    not behind any token that is like the last one, and what was copied already weighs less.

    Departures: the head has an attention of its own, so that it goes with every link; its keys see the position before
    their own; and the traces, read off the tokens: of a translation memory's nearest pairs most is to be copied.
    """

    def __init__(self, width: int, vocabulary: int, *, tied: nn.Embedding | None, memory_width: int) -> None:
        super().__init__(width, vocabulary, tied=tied)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(memory_width, width, bias=False)
        self.before = nn.Linear(memory_width, width, bias=False)
        self.gate = nn.Linear(width, 1)
        self.gate_of_copied = nn.Linear(memory_width, 1, bias=False)
        runs = torch.arange(1.0 + LONGEST_RUN)  # to begin with, e^1.5 times likelier for each token, e^-2 where done
        self.trace_score = nn.Parameter(torch.cat([1.5 * runs, 1.5 * runs - 2]))
        self.run_gate = nn.Parameter(torch.zeros(1 + LONGEST_RUN))

    def start_copying(self) -> None:
        """Begin by copying what stands behind an equal token: a hidden state still holds the token it was made from."""
        nn.init.eye_(self.query.weight)
        nn.init.eye_(self.before.weight)
        nn.init.zeros_(self.gate_of_copied.weight)

    def open(self, memory: Memory) -> Copyable:
        """The keys and tokens of a memory's positions."""
        assert memory.tokens is not None
        keys = self.key(memory.states) + self.before(_before(memory, memory.states))
        return Copyable(
            keys=keys * self.key.out_features**-0.5,
            states=memory.states,
            tokens=memory.tokens,
            before=_before(memory, memory.tokens),
            mask=memory.mask,
            bias=score_bias(memory.mask, keys.dtype)[:, None],
        )

    def forward(self, hidden_BQD: Tensor, copyable: Copyable | None, traces_BQS: Tensor | None) -> Tensor:
        """Log-probabilities (B, Q, V)."""
        assert copyable is not None
        assert traces_BQS is not None
        share, written = self._parts(hidden_BQD, copyable, traces_BQS)
        probability = super().forward(hidden_BQD, None, None).float().softmax(-1) * written
        index = copyable.tokens[:, None].expand_as(share)
        return probability.scatter_add_(2, index, share * (1 - written)).clamp_(min=1e-30).log_()

    def copied(self, hidden_BQD: Tensor, copyable: Copyable | None, traces_BQS: Tensor | None) -> Tensor:
        """(B, Q, S): (1 - g) · α."""
        assert copyable is not None
        assert traces_BQS is not None
        share, written = self._parts(hidden_BQD, copyable, traces_BQS)
        return share * (1 - written)

    def loss(
        self,
        hidden_BTD: Tensor,
        target_BT: Tensor,
        real_BT: Tensor,
        copyable: Copyable | None,
        traces_BTS: Tensor | None,
        *,
        label_smoothing: float,
    ) -> Loss:
        """Cross-entropy of the mixture; only the target's own probability of being copied is ever summed."""
        assert copyable is not None
        assert traces_BTS is not None
        share, written = self._parts(hidden_BTD, copyable, traces_BTS)
        copied_BT = (share * (copyable.tokens[:, None] == target_BT[:, :, None])).sum(-1)
        return projected_cross_entropy(
            hidden_BTD[real_BT],
            self.weight,
            self.bias,
            target_BT[real_BT],
            label_smoothing=label_smoothing,
            copies=Copies(copied_BT[real_BT], written[real_BT][:, 0]),
        )

    def _parts(self, hidden_BQD: Tensor, copyable: Copyable, traces_BQS: Tensor) -> tuple[Tensor, Tensor]:
        """α (B, Q, S) and g (B, Q, 1), in float32; g is 1 where there is nothing to copy."""
        if copyable.tokens.shape[1] == 0:
            return traces_BQS.float(), torch.ones_like(hidden_BQD[:, :, :1], dtype=torch.float32)
        scores = torch.matmul(self.query(hidden_BQD), copyable.keys.transpose(1, 2)) + copyable.bias
        share = (scores.float() + _look_up(self.trace_score, traces_BQS)).softmax(-1) * copyable.mask[:, None]
        copied = self.gate_of_copied(torch.matmul(share.to(copyable.states.dtype), copyable.states))
        gate = (self.gate(hidden_BQD) + copied).float() - _look_up(self.run_gate, run(traces_BQS).amax(2, keepdim=True))
        written = torch.sigmoid(gate)
        return share, torch.where(copyable.mask.any(1)[:, None, None], written, torch.ones_like(written))


class CtcHead(nn.Module):
    """p(v or no token | m_s) = softmax(W m_s + b), for each position s of a memory by itself (Graves et al. 2006, section 3.1)."""

    def __init__(self, memory_width: int, vocabulary: int) -> None:
        super().__init__()
        self.project = nn.Linear(memory_width, vocabulary)

    def forward(self, memory: Memory) -> Tensor:
        """(B, S, V) log-probabilities, float32; token 0 stands for none."""
        with torch.autocast(memory.states.device.type, enabled=False):
            scores_BSV: Tensor = self.project(memory.states.to(self.project.weight.dtype))
        return scores_BSV.float().log_softmax(-1)

    def loss(self, memory: Memory, target_BT: Tensor) -> Tensor:
        """-log p(target) (B,) in nats; see `endash.objectives.ctc`."""
        return ctc(self(memory), memory.mask, target_BT)


class LengthHead(nn.Module):
    """p(T | X) = softmax(W m + b) over T - S = -R … R, where m is the memory's summary and S the length of the source.

    Ghazvininejad et al. 2019, section 2.3, classify T from the encoder's state at a special token. Departures: the summary, which
    every encoder gives, stands for that, and the difference is classified (as by Lee et al. 2018), so that an unseen length is
    one like the others. A difference beyond R counts as R. T and S count the end of sentence; T is at least 1.
    """

    def __init__(self, memory_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(memory_width, 2 * _REACH + 1)

    def forward(self, memory: Memory, lengths_BN: Tensor) -> Tensor:
        """(B, N): the log-probability of each of these lengths (int64, at least 1)."""
        assert memory.summary is not None
        own = memory.mask if memory.segments is None else memory.mask & (memory.segments == 0)
        source_B1 = own.sum(1, keepdim=True)
        offsets_C = torch.arange(-_REACH, _REACH + 1, device=lengths_BN.device)
        scores_BC = self.project(memory.summary).float().masked_fill(source_B1 + offsets_C < 1, float("-inf"))
        log_probability_BC: Tensor = scores_BC.log_softmax(1)
        return log_probability_BC.gather(1, (lengths_BN - source_B1).clamp(-_REACH, _REACH) + _REACH)

    def loss(self, memory: Memory, lengths_B: Tensor) -> Loss:
        """Cross-entropy of these lengths, a mean over rows."""
        nll_B = -self(memory, lengths_B[:, None])[:, 0]
        return Loss(nll_B.mean(), len(nll_B), nll_B.sum().item())


class LabelHead(nn.Module):
    """Scores of labels, read off the states of a memory.

    Of one source the label is read off u, the mean of its states, as W u + b. Of a source and v₁ … v_J joined to it, each a
    mean of its own states, it is W₂ tanh(W₁ f + b₁) + b₂ with f = [u; v_j; |u - v_j|; u ∘ v_j for each j] (Conneau et al.
    2017, section 3.1). Of a word it is W m + b, m the state at its first token (Devlin et al. 2019, section 5.3). Dropout
    comes before the first matrix.
    """

    def __init__(self, width: int, labels: int, *, each: Each, joins: int, dropout: float) -> None:
        super().__init__()
        self.each, self.joins = each, joins
        self.dropout = Dropout(dropout)
        self.hidden = nn.Linear((1 + 3 * joins) * width, width) if joins else None
        self.project = nn.Linear(width, labels)

    def forward(self, memory: Memory, places_BW: Tensor | None = None) -> Tensor:
        """Unnormalised log-probabilities (B, 1, L) of a source's labels, or (B, W, L) of its words'.

        `places_BW` is where the first token of each word stands, counted from 1; what is read for padding, 0, means nothing.
        As in `Head`, these products are in the precision of the parameters.
        """
        read = self._source(memory) if self.each == "source" else self._words(memory, places_BW)
        with torch.autocast(read.device.type, enabled=False):
            read = self.dropout(read.to(self.project.weight.dtype))
            if self.hidden is not None:
                read = self.hidden(read).tanh()
            scores: Tensor = self.project(read)
        return scores

    def _source(self, memory: Memory) -> Tensor:
        """(B, 1, D), or (B, 1, D + 3 J D) where J are joined."""
        segments = torch.zeros_like(memory.mask, dtype=torch.long) if memory.segments is None else memory.segments
        u, *others = (mean(memory.states, memory.mask & (segments == part)) for part in range(1 + self.joins))
        return torch.cat([u, *(one for v in others for one in (v, (u - v).abs(), u * v))], 1)[:, None]

    @staticmethod
    def _words(memory: Memory, places_BW: Tensor | None) -> Tensor:
        """(B, W, D)."""
        assert places_BW is not None, "labels of words need the places of their first tokens"
        index_BW = (places_BW - 1).clamp(min=0)
        return memory.states.gather(1, index_BW[:, :, None].expand(-1, -1, memory.states.shape[2]))


def _look_up(weights: Tensor, index: Tensor) -> Tensor:
    return nn.functional.embedding(index.int(), weights[:, None])[..., 0]


def _before(memory: Memory, values: Tensor) -> Tensor:
    """The value (B, S, ...) before each position, zeros before the first of a source or passage."""
    follows = memory.mask[:, 1:] & memory.mask[:, :-1]
    if memory.segments is not None:
        follows = follows & (memory.segments[:, 1:] == memory.segments[:, :-1])
    return torch.cat([torch.zeros_like(values[:, :1]), hide(values[:, :-1], follows)], 1)
