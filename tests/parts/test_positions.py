from __future__ import annotations

import math

import pytest
import torch

from endash.errors import ModelError
from endash.parts.positions import AbsolutePositions, rotate


def test_sinusoids_are_those_of_the_paper() -> None:
    width, length = 8, 70
    got = AbsolutePositions("sinusoidal", width, length=1)(torch.zeros(1, length, width))[0]
    for t in (0, 1, 5, 69):
        for i in range(width // 2):
            angle = t / 10_000 ** (2 * i / width)
            # float32 holds an angle of 69 to 4e-6
            assert got[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert got[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


@pytest.mark.parametrize("kind", ["sinusoidal", "learned"])
def test_one_position_for_all_is_that_position(kind: str) -> None:
    positions = AbsolutePositions(kind, 6, length=90)
    whole = positions(torch.zeros(1, 90, 6))[0]
    for t in (0, 63, 64, 89):  # 64 is where the cached table grows
        at_once = positions(torch.zeros(2, 3, 6), first=t)
        torch.testing.assert_close(at_once, whole[t].expand(2, 3, 6))


def test_learned_positions_end_with_what_to_do() -> None:
    positions = AbsolutePositions("learned", 4, length=3)
    positions(torch.zeros(1, 3, 4))
    with pytest.raises(ModelError, match=r"4 positions are more than the 3 learned ones: give shorter texts, or train"):
        positions(torch.zeros(1, 4, 4))
    with pytest.raises(ModelError, match="4 positions"):
        positions(torch.zeros(1, 1, 4), first=3)


def test_rotary_positions_add_nothing() -> None:
    x = torch.randn(1, 3, 4)
    assert AbsolutePositions("rotary", 4, length=1)(x) is x


def test_a_rotated_product_depends_on_the_distance_alone() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 8)
    rotated_query = rotate(query.expand(1, 1, 70, 8))[0, 0]
    rotated_key = rotate(key.expand(1, 1, 70, 8))[0, 0]
    products = rotated_query @ rotated_key.T
    for distance in (-7, 0, 3, 20):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=1e-4, atol=1e-4)  # angles to 4e-6, summed
    assert not torch.allclose(products[0, 3], products[0, 0], atol=1e-2)


def test_rotation_turns_pairs_by_the_angle_of_the_paper() -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[..., 1] = 1.0  # the first of the second pair (1, 3), whose rate is 10000^(-2/4) = 1/100
    turned = rotate(x)[0, 0]
    for t in range(4):
        wanted = [0.0, math.cos(t / 100), 0.0, math.sin(t / 100)]
        torch.testing.assert_close(turned[t], torch.tensor(wanted), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rotate(x[:, :, :2], first=3)[0, 0], turned[3].expand(2, 4))
