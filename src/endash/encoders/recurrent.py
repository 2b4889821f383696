"""LSTM and GRU encoders. Shapes: B batch, S source positions, D width."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from endash.encoders.registry import encoders
from endash.memory import Memory
from endash.parts import recurrence
from endash.parts.contracts import Encoder, PartConfig
from endash.parts.dropout import Dropout
from endash.parts.masks import hide


class RecurrentEncoderConfig(PartConfig):
    """Settings of a recurrent encoder."""

    width: int = Field(256, ge=2, multiple_of=2, description="of the memory; each direction has half of it")
    layers: int = Field(2, ge=1)
    bidirectional: bool = True
    dropout: float = Field(0.2, ge=0, lt=1)


class LSTMEncoderConfig(RecurrentEncoderConfig):
    """Settings of the LSTM encoder."""

    kind: Literal["lstm"] = "lstm"


class GRUEncoderConfig(RecurrentEncoderConfig):
    """Settings of the GRU encoder."""

    kind: Literal["gru"] = "gru"


class RecurrentEncoder(Encoder):
    """Recurrent layers, each reading the source forward and, when bidirectional, backward (Schuster & Paliwal 1997).

    The summary is the last state of each direction: of the last position forward, of the first backward.
    """

    cell: ClassVar[recurrence.Cell]
    gives = frozenset({"states", "summary", "layers"})

    def __init__(self, config: RecurrentEncoderConfig) -> None:
        super().__init__()
        half = config.width // 2 if config.bidirectional else config.width
        layers = range(config.layers)
        self.forward_layers = nn.ModuleList(recurrence.layer(self.cell, config.width, half) for _ in layers)
        self.backward_layers = nn.ModuleList(
            recurrence.layer(self.cell, config.width, half) for _ in layers if config.bidirectional
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        """The memory of embedded sources; see `Encoder`."""
        states_BSD = vectors_BSD
        states: list[Tensor] = []
        for i, rnn in enumerate(self.forward_layers):
            inputs = self.dropout(states_BSD)
            ahead = recurrence.run(rnn, inputs)[0]
            ends = [recurrence.last(ahead, mask_BS)]
            states_BSD = ahead
            if len(self.backward_layers):
                back = recurrence.run(self.backward_layers[i], recurrence.reverse(inputs, mask_BS))[0]
                ends.append(recurrence.last(back, mask_BS))
                states_BSD = torch.cat([ahead, recurrence.reverse(back, mask_BS)], dim=2)
            states.append(hide(states_BSD, mask_BS))
        return Memory(states[-1], mask_BS, summary=torch.cat(ends, dim=1), layers=tuple(states))


@encoders.register
class LSTMEncoder(RecurrentEncoder):
    """Layers of long short-term memory, in both directions."""

    Config = LSTMEncoderConfig
    cell = "lstm"


@encoders.register
class GRUEncoder(RecurrentEncoder):
    """Layers of gated recurrent units, in both directions."""

    Config = GRUEncoderConfig
    cell = "gru"
