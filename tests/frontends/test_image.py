from __future__ import annotations

import pytest
import torch

from endash.errors import ModelError
from endash.frontends.features import Features, FeaturesConfig
from endash.frontends.image import Image, ImageConfig, _seen_anew
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
            wanted = frontend.projection((patch - 0.5) / 0.25) + frontend.rows[row] + frontend.columns[column]
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


def padded(pixels: torch.Tensor, rows: int, columns: int) -> Padded:
    """An image (C, H, W) in the corner of a larger one, with something else beyond it."""
    values, mask = torch.randn(1, len(pixels), rows, columns), torch.zeros(1, rows, columns, dtype=torch.bool)
    values[0, :, : pixels.shape[1], : pixels.shape[2]] = pixels
    mask[0, : pixels.shape[1], : pixels.shape[2]] = True
    return Padded(values, mask)


@pytest.mark.parametrize("convolutions", [0, 1, 3])
def test_what_lies_beyond_an_image_changes_nothing(convolutions: int) -> None:
    torch.manual_seed(0)
    frontend = Image(ImageConfig(patch=8, max_side=8, convolutions=convolutions), width=16).eval()
    pixels = torch.randn(3, 21, 30)
    alone, beside = frontend(padded(pixels, 21, 30)), frontend(padded(pixels, 40, 43))
    assert alone.mask.sum() == beside.mask.sum() == 3 * 4 == ImageConfig(patch=8).positions((21, 30, 3))
    torch.testing.assert_close(beside.values[beside.mask], alone.values[alone.mask], rtol=1e-4, atol=1e-5)


def test_convolutions_see_beyond_a_patch_and_learn() -> None:
    torch.manual_seed(0)
    frontend, source = Image(ImageConfig(patch=4, max_side=8, convolutions=2), width=16), image(3, 8, 8)
    out = frontend(source).values
    source.values[0, :, 0, 3] += 1.0  # a pixel of the first patch, at the edge of the second
    assert not torch.equal(frontend(source).values[0, 1], out[0, 1])
    out.sum().backward()
    assert all(one.grad is not None for one in frontend.parameters())
    with pytest.raises(ValueError, match=r"frontend\.patch = 6 does not divide by 4: take another patch, or fewer"):
        ImageConfig(patch=6, convolutions=2)


def test_an_image_is_mirrored_within_its_own_sides_and_only_in_training() -> None:
    torch.manual_seed(0)
    frontend = Image(ImageConfig(channels=1, patch=1, max_side=8, mirror=True), width=2)
    source = padded(torch.arange(12.0).reshape(1, 3, 4), 5, 7)
    plain = frontend.eval()(source).values[0, :12]
    turned = frontend(Padded(source.values[:, :, :3, :4].flip(3), torch.ones(1, 3, 4, dtype=torch.bool))).values[0]
    frontend.train()
    seen = [frontend(source).values[0, :12] for _ in range(20)]
    for one in seen:
        assert torch.allclose(one, plain, atol=1e-4) or torch.allclose(one, turned, atol=1e-4)
    assert 0 < sum(torch.allclose(one, plain, atol=1e-4) for one in seen) < 20


def test_a_crop_is_a_part_of_the_image_stretched_to_its_sides() -> None:
    torch.manual_seed(0)
    steps = torch.arange(8.0).expand(1, 6, 8)  # pixels tell their column
    source = padded(steps, 9, 12)
    for _ in range(20):
        seen = _seen_anew(hidden(source), source.mask, crop=0.5, mirror=False)[0, 0]
        row = seen[0, :8]
        torch.testing.assert_close(seen[:6, :8], row.expand(6, 8), rtol=0, atol=1e-4)
        assert seen[6:].abs().sum() == seen[:, 8:].abs().sum() == 0
        step = row[1:7].diff()
        assert (step - step[0]).abs().max() < 1e-3
        assert 0.49 < step[0] < 1.001
        assert row.min() > -1e-3
        assert row.max() < 7.001


def hidden(source: Padded) -> torch.Tensor:
    return source.values * source.mask[:, None]
