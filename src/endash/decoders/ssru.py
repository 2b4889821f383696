"""The SSRU decoder. Shapes: B batch, T target positions, K beams, Q queries (T or K), D width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from endash.decoders.layers import DecoderLayer, LayersConfig, last_norm
from endash.decoders.registry import decoders
from endash.parts.contracts import DecoderShape, DecoderState, InOrderDecoder, OpenLink, select_tensors
from endash.parts.dropout import Dropout
from endash.parts.positions import AbsolutePositions


class SSRUDecoderConfig(LayersConfig):
    """Settings of the SSRU decoder."""

    kind: Literal["ssru"] = "ssru"


@dataclass(frozen=True)
class SSRUState(DecoderState):
    """The cell of each layer, (B, K, D) in float32, and how many tokens were written: of one size however long the target is."""

    cells: tuple[Tensor, ...]
    position: int

    def select(self, rows: Tensor) -> SSRUState:
        """The state of these rows."""
        return SSRUState(select_tensors(self.cells, rows), self.position)

    def reorder(self, parents_BK: Tensor) -> SSRUState:
        """Beams that go on from their parents."""
        moved = (cell.gather(1, parents_BK[:, :, None].expand(-1, -1, cell.shape[2])) for cell in self.cells)
        return SSRUState(tuple(moved), self.position)


class SSRU(nn.Module):
    """The simpler simple recurrent unit (Kim et al. 2019, section 3.1):

        f_t = σ(W_f x_t + b_f),   c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ W x_t,   h_t = relu(c_t).

    Neither product depends on c, so they are taken of all positions at once, and what is left is a loop of element-wise
    operations. It is computed in float32, for c adds up over a whole target.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.forget = nn.Linear(width, width)
        self.value = nn.Linear(width, width, bias=False)

    def forward(self, x_BTD: Tensor, cell_BD: Tensor) -> Tensor:
        """The outputs h (B, T, D) of all positions, where c before the first is `cell_BD`."""
        forget_BTD, added_BTD = self._gates(x_BTD)
        cells = []
        for forget_BD, added_BD in zip(forget_BTD.unbind(1), added_BTD.unbind(1), strict=True):
            cell_BD = torch.addcmul(added_BD, forget_BD, cell_BD)
            cells.append(cell_BD)
        return torch.stack(cells, 1).relu().to(x_BTD.dtype)

    def step(self, x_BKD: Tensor, cell_BKD: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs (B, K, D) of one position in each beam, and the cells after it."""
        forget_BKD, added_BKD = self._gates(x_BKD)
        cell_BKD = torch.addcmul(added_BKD, forget_BKD, cell_BKD)
        return cell_BKD.relu().to(x_BKD.dtype), cell_BKD

    def _gates(self, x_BQD: Tensor) -> tuple[Tensor, Tensor]:
        """f and (1 - f) ⊙ W x."""
        forget = torch.sigmoid(self.forget(x_BQD).float())
        return forget, (1 - forget) * self.value(x_BQD).float()


@decoders.register
class SSRUDecoder(InOrderDecoder):
    """A Transformer decoder whose self-attention is a recurrence, of a state that does not grow (Kim et al. 2019).

    Layers of SSRU, a read through the link, and feed-forward; positions are sinusoidal. Departure: where the link offers
    `start`, the cells begin there and not at zero.
    """

    Config = SSRUDecoderConfig
    uses = frozenset({"start", "read"})

    def __init__(self, config: SSRUDecoderConfig, *, reads: bool) -> None:
        super().__init__()
        self.positions = AbsolutePositions("sinusoidal", config.width, length=0)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(_Layer(config, number, reads=reads) for number in range(config.layers))
        self.norm = last_norm(config)
        self.width = config.width

    @classmethod
    def shape(cls, config: SSRUDecoderConfig) -> DecoderShape:
        """A read in each layer, and a first cell for each."""
        return DecoderShape(width=config.width, reads=config.layers, start=config.layers * config.width)

    def forward(self, inputs_BTD: Tensor, link: OpenLink) -> Tensor:
        """Hidden states of all positions; see `InOrderDecoder`."""
        x = self.dropout(self.positions(inputs_BTD))
        for layer, cell_BD in zip(self.layers, self._first(link), strict=True):
            x = layer(x, link, cell_BD)
        hidden: Tensor = self.norm(x)
        return hidden

    def start(self, link: OpenLink) -> SSRUState:
        """The state before the first token; see `InOrderDecoder`."""
        return SSRUState(tuple(cell_BD[:, None] for cell_BD in self._first(link)), 0)

    def step(self, inputs_BKD: Tensor, link: OpenLink, state: SSRUState) -> tuple[Tensor, SSRUState]:
        """One more token in each beam; see `InOrderDecoder`."""
        x, cells = self.positions(inputs_BKD, first=state.position), []
        for layer, before in zip(self.layers, state.cells, strict=True):
            assert isinstance(layer, _Layer)
            x, cell = layer.step(x, link, before)
            cells.append(cell)
        hidden: Tensor = self.norm(x)
        return hidden, SSRUState(tuple(cells), state.position + 1)

    def _first(self, link: OpenLink) -> tuple[Tensor, ...]:
        """The cell (B, D) that each layer starts from: the link's start, or zeros."""
        start = link.state.start
        if start is None:
            return (torch.zeros(link.rows, self.width, device=link.state.mask.device),) * len(self.layers)
        cells: tuple[Tensor, ...] = start.float().split(self.width, dim=1)
        return cells


class _Layer(DecoderLayer):
    ssru: SSRU

    def __init__(self, config: SSRUDecoderConfig, number: int, *, reads: bool) -> None:
        super().__init__(config, number, "ssru", SSRU(config.width), reads=reads)

    def forward(self, x_BTD: Tensor, link: OpenLink, cell_BD: Tensor) -> Tensor:
        return self.through(x_BTD, link, lambda y: self.ssru(y, cell_BD))

    def step(self, x_BKD: Tensor, link: OpenLink, cell_BKD: Tensor) -> tuple[Tensor, Tensor]:
        after: list[Tensor] = []

        def advance(y: Tensor) -> Tensor:
            out, cell = self.ssru.step(y, cell_BKD)
            after.append(cell)
            return out

        return self.through(x_BKD, link, advance), after[0]
