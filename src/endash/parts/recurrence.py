"""LSTM and GRU layers over padded batches, in either direction.

Shapes: B batch, S positions, D input width, W state width.

LSTM (Hochreiter & Schmidhuber 1997; torch.nn's gates): i, f, o = σ(W x_t + U h_{t-1} + b), g = tanh(…),
c_t = f ⊙ c_{t-1} + i ⊙ g, h_t = o ⊙ tanh(c_t). GRU (Cho et al. 2014): r, z = σ(…), n = tanh(W x_t + b + r ⊙ (U h_{t-1} + b')),
h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Cell = Literal["lstm", "gru"]
CARRIED = {"lstm": 2, "gru": 1}  # vectors carried from step to step: h and c, or h


def layer(cell: Cell, input_width: int, width: int) -> nn.LSTM | nn.GRU:
    """One unidirectional recurrent layer, batch first. An LSTM starts with its forget gate open (bias 1)."""
    kinds: dict[Cell, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
    built = kinds[cell](input_width, width, batch_first=True)
    if cell == "lstm":
        with torch.no_grad():
            built.get_parameter("bias_ih_l0")[width : 2 * width].fill_(1.0)  # Jozefowicz et al. 2015
    return built


def run(
    rnn: nn.Module, vectors_BSD: Tensor, carried: tuple[Tensor, ...] | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The states (B, S, W) of a layer, and what it carries on: h, and c of an LSTM, each (B, W).

    `carried`: what it starts from, of the same form; zeros where it is None.
    """
    if isinstance(rnn, nn.LSTM):
        first = None if carried is None else (carried[0][None].contiguous(), carried[1][None].contiguous())
        states, (h, c) = rnn(vectors_BSD, first)
        return states, (h[0], c[0])
    assert isinstance(rnn, nn.GRU)
    states, h = rnn(vectors_BSD, None if carried is None else carried[0][None].contiguous())
    return states, (h[0],)


def reverse(vectors_BSD: Tensor, mask_BS: Tensor) -> Tensor:
    """Each row's real positions in reverse order, its padding left where it is; undoes itself."""
    S = mask_BS.shape[1]
    place_S = torch.arange(S, device=mask_BS.device)
    length_B1 = mask_BS.sum(1, keepdim=True)
    order_BS = torch.where(mask_BS, length_B1 - 1 - place_S, place_S)
    return vectors_BSD.gather(1, order_BS[:, :, None].expand_as(vectors_BSD))


def last(states_BSW: Tensor, mask_BS: Tensor) -> Tensor:
    """(B, W): the state at each row's last real position; zeros for a row that has none."""
    length_B = mask_BS.sum(1)
    picked = states_BSW[torch.arange(len(states_BSW), device=states_BSW.device), (length_B - 1).clamp(min=0)]
    return picked * (length_B > 0)[:, None].to(picked.dtype)
