"""LSTM and GRU decoders. Shapes: B batch, T target positions, K beams, D width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from endash.decoders.registry import decoders
from endash.parts import recurrence
from endash.parts.contracts import DecoderShape, DecoderState, InOrderDecoder, OpenLink, PartConfig, select_tensors
from endash.parts.dropout import Dropout

Carried = tuple[Tensor, ...]


class RecurrentDecoderConfig(PartConfig):
    """Settings of a recurrent decoder."""

    width: int = Field(256, ge=1)
    layers: int = Field(2, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)


class LSTMDecoderConfig(RecurrentDecoderConfig):
    """Settings of the LSTM decoder."""

    kind: Literal["lstm"] = "lstm"


class GRUDecoderConfig(RecurrentDecoderConfig):
    """Settings of the GRU decoder."""

    kind: Literal["gru"] = "gru"


@dataclass(frozen=True)
class RecurrentState(DecoderState):
    """What each layer carries on: h, and c of an LSTM, each (B, K, D)."""

    carried: tuple[Carried, ...]

    def select(self, rows: Tensor) -> Self:
        """The state of these rows."""
        return type(self)(select_tensors(self.carried, rows))

    def reorder(self, parents_BK: Tensor) -> Self:
        """Beams that go on from their parents."""

        def pick(vector_BKD: Tensor) -> Tensor:
            return vector_BKD.gather(1, parents_BK[:, :, None].expand(-1, -1, vector_BKD.shape[2]))

        return type(self)(tuple(tuple(map(pick, layer)) for layer in self.carried))


class RecurrentDecoder(InOrderDecoder):
    """Recurrent layers; the first asks the link, the others and the output read its answer.

    h¹_t = RNN(y_{t-1}, h¹_{t-1}), c_t = read(h¹_t), hⁱ_t = hⁱ⁻¹_t + RNN([hⁱ⁻¹_t; c_t], …) for the layers above, and
    s_t = tanh(W [hᴸ_t; c_t]) goes to the head: the bottom layer asks, as in Wu et al. 2016, section 3, and the
    output mixes as in Luong et al. 2015, equation 5. No answer is fed back into the layer that asks, so that in training
    each layer runs over all positions at once. Through a link with no `read` there is no c.
    """

    cell: ClassVar[recurrence.Cell]
    uses = frozenset({"start", "read"})

    def __init__(self, config: RecurrentDecoderConfig, *, reads: bool) -> None:
        super().__init__()
        context = config.width if reads else 0
        widths = [config.width, *[config.width + context] * (config.layers - 1)]
        self.layers = nn.ModuleList(recurrence.layer(self.cell, width, config.width) for width in widths)
        self.output = nn.Linear(config.width + context, config.width)
        self.dropout = Dropout(config.dropout)

    @classmethod
    def shape(cls, config: RecurrentDecoderConfig) -> DecoderShape:
        """One read; an initial state for each layer."""
        start = config.layers * recurrence.CARRIED[cls.cell] * config.width
        return DecoderShape(width=config.width, reads=1, start=start)

    def forward(self, inputs_BTD: Tensor, link: OpenLink) -> Tensor:
        """Hidden states of all positions; see `InOrderDecoder`."""
        return self._run(inputs_BTD, link, self._first(link))[0]

    def start(self, link: OpenLink) -> RecurrentState:
        """The state before the first token; see `InOrderDecoder`."""
        first = self._first(link)
        return RecurrentState(tuple(tuple(vector[:, None] for vector in layer) for layer in first))

    def step(self, inputs_BKD: Tensor, link: OpenLink, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """One more token in each beam; see `InOrderDecoder`."""
        beams = inputs_BKD.shape[1]
        flat = tuple(tuple(vector.flatten(0, 1) for vector in layer) for layer in state.carried)
        hidden, carried = self._run(inputs_BKD.flatten(0, 1)[:, None], link, flat, beams=beams)
        unflat = tuple(tuple(vector.unflatten(0, (-1, beams)) for vector in layer) for layer in carried)
        return hidden.unflatten(0, (-1, beams))[:, :, 0], RecurrentState(unflat)

    def _first(self, link: OpenLink) -> tuple[Carried, ...]:
        """What each layer starts from: the link's start, or zeros."""
        parts = recurrence.CARRIED[self.cell]
        width = self.output.out_features
        start = link.state.start
        if start is None:
            start = self.output.weight.new_zeros(link.rows, len(self.layers) * parts * width)
        pieces = start.split(width, dim=1)
        return tuple(tuple(pieces[i * parts : (i + 1) * parts]) for i in range(len(self.layers)))

    def _run(
        self, inputs: Tensor, link: OpenLink, carried: tuple[Carried, ...], *, beams: int | None = None
    ) -> tuple[Tensor, tuple[Carried, ...]]:
        """Hidden states and what is carried on; with `beams` the inputs are (B · K, 1, D) and ask as (B, K, D)."""
        context: list[Tensor] = []
        after: list[Carried] = []
        hidden = inputs
        for i, rnn in enumerate(self.layers):
            states, ends = recurrence.run(rnn, self.dropout(torch.cat([hidden, *context], dim=2)), carried[i])
            after.append(ends)
            if i == 0 and link.reads:
                context = [self._read(states, link, beams)]
            hidden = states if i == 0 else hidden + states
        return torch.tanh(self.output(self.dropout(torch.cat([hidden, *context], dim=2)))), tuple(after)

    def _read(self, states: Tensor, link: OpenLink, beams: int | None) -> Tensor:
        if beams is None:
            return link.read(states, 0)
        return link.read(states.squeeze(1).unflatten(0, (-1, beams)), 0).flatten(0, 1)[:, None]


@decoders.register
class LSTMDecoder(RecurrentDecoder):
    """Layers of long short-term memory."""

    Config = LSTMDecoderConfig
    cell = "lstm"


@decoders.register
class GRUDecoder(RecurrentDecoder):
    """Layers of gated recurrent units."""

    Config = GRUDecoderConfig
    cell = "gru"
