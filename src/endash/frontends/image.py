"""Image patches. Shapes: B batch, C channels, H and W pixels, R rows and M columns of patches, P side, S = R·M, D width."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from endash.errors import ModelError
from endash.frontends.registry import frontends
from endash.parts.contracts import Frontend, FrontendConfig, Padded
from endash.parts.masks import hide


class ImageConfig(FrontendConfig):
    """Settings of the image frontend."""

    kind: Literal["image"] = "image"
    channels: int = Field(3, ge=1)
    patch: int = Field(16, ge=1, description="pixels along a side of a patch")
    max_side: int = Field(32, ge=1, description="patches along a side of the largest image")

    def positions(self, shape: tuple[int, ...]) -> int:
        """The patches of pixels (H, W, C)."""
        rows, columns = (-(-side // self.patch) for side in shape[:2])
        return rows * columns


@frontends.register
class Image(Frontend):
    """An image as a sequence of patches: E x_p + e_row + e_column, read line by line (Dosovitskiy et al. 2021, equation 1).

    Images of several sizes share a batch. A patch at the edge that an image fills in part is completed with zeros; it is real if
    any of its pixels is. Each image's real patches come first and padding after them, whatever the size of the others.

    Departures: positions are two-dimensional, a learned vector for the row and one for the column (appendix D.4 there; added and
    not concatenated, so that any width will do), for a number along the sequence would mean another place in an image of another
    size. There is no class token; the encoder makes the summary.
    """

    Config = ImageConfig

    def __init__(self, config: ImageConfig, *, width: int) -> None:
        super().__init__()
        self.patch, self.channels, self.max_side = config.patch, config.channels, config.max_side
        self.projection = nn.Linear(config.channels * config.patch**2, width)
        self.rows = nn.Parameter(torch.randn(config.max_side, width) * 0.02)
        self.columns = nn.Parameter(torch.randn(config.max_side, width) * 0.02)

    def forward(self, source: Padded) -> Padded:
        """Pixels (B, C, H, W) with a mask (B, H, W) → (B, S, D). Raises ModelError for other channels or too large an image."""
        self._check(source.values)
        pixels_BHWC = hide(source.values.permute(0, 2, 3, 1).flatten(1, 2), source.mask.flatten(1))
        pixels_BHWC = pixels_BHWC.unflatten(1, source.mask.shape[1:])
        patches_BRME = _cut(pixels_BHWC, self.patch)
        rows, columns = patches_BRME.shape[1:3]
        places_RMD = self.rows[:rows, None] + self.columns[None, :columns]
        vectors_BSD = (self.projection(patches_BRME) + places_RMD).flatten(1, 2)
        mask_BS = _cut(source.mask[..., None], self.patch).any(3).flatten(1)
        order_BS = (~mask_BS).int().argsort(dim=1, stable=True)
        return Padded(vectors_BSD.gather(1, order_BS[:, :, None].expand_as(vectors_BSD)), mask_BS.gather(1, order_BS))

    def _check(self, pixels_BCHW: Tensor) -> None:
        channels, height, width = pixels_BCHW.shape[1:]
        if channels != self.channels:
            raise ModelError(
                f"an image has {channels} channels, and frontend.channels = {self.channels}: set it to {channels}"
            )
        if max(height, width) > (most := self.patch * self.max_side):
            raise ModelError(
                f"an image of {width} × {height} pixels is larger than {most} × {most}, which is frontend.max_side = "
                f"{self.max_side} patches of {self.patch}: scale it down, or raise frontend.max_side or frontend.patch"
            )


def _cut(values_BHWC: Tensor, side: int) -> Tensor:
    """(B, R, M, P·P·C): the patches, those at the lower and the right edge completed with zeros."""
    height, width = values_BHWC.shape[1:3]
    whole = nn.functional.pad(values_BHWC, (0, 0, 0, -width % side, 0, -height % side))
    patches: Tensor = whole.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(3)
    return patches
