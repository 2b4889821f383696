"""Image patches. Shapes: B batch, C channels, H and W pixels, R rows and M columns of patches, P side, S = R·M, D width, E of a patch."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.errors import ModelError
from endash.frontends.registry import frontends
from endash.parts.contracts import Frontend, FrontendConfig, Padded

_MIDDLE, _SPREAD = 0.5, 0.25  # about the mean and the deviation of a photo's pixels, which are from 0 to 1


class ImageConfig(FrontendConfig):
    """Settings of the image frontend."""

    reads: ClassVar = "pixels"

    kind: Literal["image"] = "image"
    channels: int = Field(3, ge=1)
    patch: int = Field(16, ge=1, description="pixels along a side of a patch")
    max_side: int = Field(32, ge=1, description="patches along a side of the largest image")
    convolutions: int = Field(
        0, ge=0, le=5, description="layers that see beyond a patch, each of which halves its side"
    )
    crop: float = Field(0.0, ge=0, lt=1, description="share of its sides that an image loses at most, in training")
    mirror: bool = Field(default=False, description="turn left and right about in half of all images, in training")

    def positions(self, shape: tuple[int, ...]) -> int:
        """The patches of pixels (H, W, C)."""
        rows, columns = (-(-side // self.patch) for side in shape[:2])
        return rows * columns

    @model_validator(mode="after")
    def _halves_a_patch(self) -> Self:
        if self.patch % 2**self.convolutions:
            raise ValueError(
                f"frontend.convolutions = {self.convolutions} halve a patch so many times, and frontend.patch = {self.patch} does not "
                f"divide by {2**self.convolutions}: take another patch, or fewer convolutions"
            )
        return self


@frontends.register
class Image(Frontend):
    """An image as a sequence of patches: E x_p + e_row + e_column, read line by line (Dosovitskiy et al. 2021, equation 1).

    Pixels, from 0 to 1, are brought to about mean 0 and variance 1.

    Images of several sizes share a batch. A patch at the edge that an image fills in part is completed with zeros; it is real if
    any of its pixels is. Each image's real patches come first and padding after them, whatever the size of the others.

    Departures: positions are two-dimensional, a learned vector for the row and one for the column (appendix D.4 there; added and
    not concatenated, so that any width will do), for a number along the sequence would mean another place in an image of another
    size. There is no class token; the encoder makes the summary.

    `convolutions` stand before the patches (Xiao et al. 2021): each is 3 × 3 with stride 2, the last as wide as the model and each
    before it half of that, then a LayerNorm over its channels (departure: for BatchNorm, which would read the padding) and a ReLU. In
    training an image may be cropped and mirrored at random.
    """

    Config = ImageConfig

    def __init__(self, config: ImageConfig, *, width: int) -> None:
        super().__init__()
        self.patch, self.channels, self.max_side = config.patch, config.channels, config.max_side
        self.crop, self.mirror = config.crop, config.mirror
        channels = [config.channels, *(max(1, width >> n) for n in reversed(range(config.convolutions)))]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, 2, padding=1) for a, b in pairwise(channels))
        self.norms = nn.ModuleList(nn.LayerNorm(b) for b in channels[1:])
        self.side = config.patch >> config.convolutions
        self.projection = nn.Linear(channels[-1] * self.side**2, width)
        self.rows = nn.Parameter(torch.randn(config.max_side, width) * 0.02)
        self.columns = nn.Parameter(torch.randn(config.max_side, width) * 0.02)

    def forward(self, source: Padded) -> Padded:
        """Pixels (B, C, H, W) with a mask (B, H, W) → (B, S, D). Raises ModelError for other channels or too large an image."""
        self._check(source.values)
        pixels_BCHW = ((source.values - _MIDDLE) / _SPREAD).masked_fill(~source.mask[:, None], 0.0)
        if self.training and (self.crop or self.mirror):
            pixels_BCHW = _seen_anew(pixels_BCHW, source.mask, crop=self.crop, mirror=self.mirror)
        mask_BHW = source.mask
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            mask_BHW = _cut(mask_BHW[..., None], 2).any(3)
            seen_BHWC = norm(convolution(pixels_BCHW).permute(0, 2, 3, 1)).relu()
            pixels_BCHW = seen_BHWC.masked_fill(~mask_BHW[..., None], 0.0).permute(0, 3, 1, 2)
        patches_BRME = _cut(pixels_BCHW.permute(0, 2, 3, 1), self.side)
        rows, columns = patches_BRME.shape[1:3]
        places_RMD = self.rows[:rows, None] + self.columns[None, :columns]
        vectors_BSD = (self.projection(patches_BRME) + places_RMD).flatten(1, 2)
        mask_BS = _cut(mask_BHW[..., None], self.side).any(3).flatten(1)
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


def _seen_anew(pixels_BCHW: Tensor, mask_BHW: Tensor, *, crop: float, mirror: bool) -> Tensor:
    """Images of the same sizes, each a random part of its own, stretched, and one in two mirrored."""
    height, width = mask_BHW.shape[1:]
    own_B2 = torch.stack([mask_BHW.any(1).sum(1), mask_BHW.any(2).sum(1)], dim=1)  # columns, rows
    share_B1, place_B2 = 1 - crop * torch.rand(len(own_B2), 1), torch.rand(len(own_B2), 2)
    turned_B = torch.rand(len(own_B2)) < 0.5 if mirror else torch.zeros(len(own_B2), dtype=torch.bool)
    scale_B2 = share_B1.expand(-1, 2) * torch.stack([1 - 2.0 * turned_B, torch.ones_like(turned_B)], dim=1)
    middle_B2 = own_B2.cpu() * (0.5 * share_B1 + (1 - share_B1) * place_B2)  # of the part, in pixels
    all_2 = torch.tensor([width, height])
    # grid_sample takes places as shares of the padded image, -1 to 1; the middle of an image's own part is where it must land
    offset_B2 = 2 * (middle_B2 - scale_B2 * own_B2.cpu() / 2) / all_2 - 1 + scale_B2
    affine_B23 = torch.cat([torch.diag_embed(scale_B2), offset_B2[:, :, None]], dim=2).to(pixels_BCHW)
    grid = nn.functional.affine_grid(affine_B23, list(pixels_BCHW.shape), align_corners=False)
    seen = nn.functional.grid_sample(pixels_BCHW, grid, padding_mode="border", align_corners=False)
    return seen.masked_fill(~mask_BHW[:, None], 0.0)


def _cut(values_BHWC: Tensor, side: int) -> Tensor:
    """(B, R, M, P·P·C): the patches, those at the lower and the right edge completed with zeros."""
    height, width = values_BHWC.shape[1:3]
    whole = nn.functional.pad(values_BHWC, (0, 0, 0, -width % side, 0, -height % side))
    patches: Tensor = whole.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(3)
    return patches
