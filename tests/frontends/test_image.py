from __future__ import annotations

import pytest
import torch

from endash.errors import ModelError
from endash.frontends.features import Features, FeaturesConfig
from endash.frontends.image import Image, ImageConfig
from endash.parts.contracts import Padded


def image(*shape: int) -> Padded:
    return Padded(torch.randn(1, *shape), torch.ones(1, *shape[1:], dtype=torch.bool))


def test_patches_are_those_of_a_slow_loop() -> None:
    torch.manual_seed(0)
    frontend, source = Image(ImageConfig(channels=2, patch=2, max_side=4), width=5), image(2, 4, 6)
    out = frontend(source).values[0]
    for row in range(2):
        for column in range(3):
            pixels = source.values[0, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            patch = pixels.permute(1, 2, 0).flatten()
            wanted = frontend.projection(patch) + frontend.rows[row] + frontend.columns[column]
            torch.testing.assert_close(out[3 * row + column], wanted, rtol=0, atol=1e-5)  # float32 sums of 8 numbers


def test_what_does_not_fit_is_refused() -> None:
    frontend = Image(ImageConfig(patch=2, max_side=4), width=5)
    with pytest.raises(ModelError, match=r"has 1 channels, and frontend\.channels = 3: set it to 1"):
        frontend(image(1, 4, 4))
    with pytest.raises(
        ModelError, match=r"of 9 × 4 pixels is larger than 8 × 8, which is frontend\.max_side = 4 patches"
    ):
        frontend(image(3, 4, 9))
    with pytest.raises(ModelError, match=r"has 4 features, and frontend\.size = 3: set it to 4"):
        Features(FeaturesConfig(size=3), width=5)(Padded(torch.randn(1, 2, 4), torch.ones(1, 2, dtype=torch.bool)))
