"""What the layers of all Transformer-like decoders share. Shapes: B batch, Q positions or beams, D width."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field
from torch import Tensor, nn

from endash.parts.contracts import OpenLink, PartConfig
from endash.parts.feed_forward import Activation, FeedForward
from endash.parts.residual import NormPlace, Residual


class LayersConfig(PartConfig):
    """Settings of such a decoder, whatever its first sublayer is."""

    width: int = Field(256, ge=2, multiple_of=2)
    layers: int = Field(3, ge=1)
    feed_forward: int = Field(1024, ge=1)
    activation: Activation = "relu"
    norm: NormPlace = "pre"
    dropout: float = Field(0.1, ge=0, lt=1)


class DecoderLayer(nn.Module):
    """A sublayer over the target, a read through the link, and feed-forward, each on a residual path (Vaswani et al. 2017, section 3.1).

    The first sublayer is a subclass's own: self-attention there, a recurrence elsewhere. It hands in the module, which stands
    in the layer under `name`, and at each call what that module does. Through a link with no `read` there is no such sublayer.
    """

    def __init__(self, config: LayersConfig, number: int, name: str, first: nn.Module, *, reads: bool) -> None:
        super().__init__()
        self.number = number
        self.add_module(name, first)
        self.feed_forward = FeedForward(config.width, config.feed_forward, activation=config.activation)
        around = f"around_{name}"
        self.add_module(around, Residual(config.width, norm=config.norm, dropout=config.dropout))
        self.around_first = around
        self.around_link = Residual(config.width, norm=config.norm, dropout=config.dropout) if reads else None
        self.around_feed_forward = Residual(config.width, norm=config.norm, dropout=config.dropout)

    def through(self, x_BQD: Tensor, link: OpenLink, first: Callable[[Tensor], Tensor]) -> Tensor:
        """`x_BQD` after `first`, what it reads through the link, and feed-forward."""
        x = self.get_submodule(self.around_first)(x_BQD, first)
        if self.around_link is not None:
            x = self.around_link(x, lambda y: link.read(y, self.number))
        out: Tensor = self.around_feed_forward(x, self.feed_forward)
        return out


def last_norm(config: LayersConfig) -> nn.Module:
    """What comes after the last layer: a norm where the layers have theirs before each sublayer."""
    return nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
