"""What holds of every frontend: padding a batch changes no real position, and the masks say which those are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from endash.encoders import encoders
from endash.frontends import frontends
from endash.parts.contracts import Frontend, Padded

WIDTH = 8
SOURCES = {  # for each kind settings, and sources of unlike sizes, the last with none
    "audio": ({"mels": 20}, [(4000,), (2345,), (700,), (0,)]),
    "features": ({"size": 5}, [(7, 5), (3, 5), (1, 5), (0, 5)]),
    "image": ({"patch": 4, "max_side": 6}, [(3, 11, 24), (3, 20, 8), (3, 4, 4), (3, 0, 0)]),
}
POSITIONS = {  # counted by hand: 1 + (N - 400) // 160 frames, halved twice as (T - 3) // 2 + 1; pixels / 4 rounded up
    "audio": [5, 2, 0, 0],
    "features": [7, 3, 1, 0],
    "image": [3 * 6, 5 * 2, 1, 0],
}
each = pytest.mark.parametrize("kind", list(frontends))


def build(kind: str) -> Frontend:
    torch.manual_seed(0)
    return frontends.build(frontends.config(kind)(**SOURCES[kind][0]), width=WIDTH).eval()


def padded(kind: str, sources: list[Tensor], *, fill: float = 0.0) -> Padded:
    """The sources in one batch, what stands beyond them set to `fill`."""
    values = torch.full((len(sources), *map(max, zip(*(one.shape for one in sources), strict=True))), fill)
    mask = torch.zeros(values.shape, dtype=torch.bool)
    for row, one in enumerate(sources):
        place = (row, *map(slice, one.shape))
        values[place], mask[place] = one, True
    return Padded(values, mask if kind == "audio" else mask.any(2 if kind == "features" else 1))


def draw(kind: str) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(shape) for shape in SOURCES[kind][1]]


def test_every_kind_is_here() -> None:
    assert list(frontends) == list(SOURCES) == list(POSITIONS)


@each
def test_masks_count_the_positions_and_put_them_first(kind: str) -> None:
    out = build(kind)(padded(kind, draw(kind)))
    assert out.values.shape == (*out.mask.shape, WIDTH)
    assert out.mask.sum(1).tolist() == POSITIONS[kind]
    assert (out.mask.int().diff(dim=1) <= 0).all()


@each
def test_positions_are_known_from_the_shape_of_a_stored_source(kind: str) -> None:
    """A picture's colours come last there."""
    config = frontends.config(kind)(**SOURCES[kind][0])
    shapes = [(*shape[1:], shape[0]) if kind == "image" else shape for shape in SOURCES[kind][1]]
    assert [config.positions(shape) for shape in shapes] == POSITIONS[kind]


@pytest.mark.parametrize("samples", [0, 399, 400, 1359, 1360, 1999, 2000, 4123])
def test_positions_of_audio_of_any_length(samples: int) -> None:
    frontend = build("audio")
    out = frontend(padded("audio", [torch.randn(samples)]))
    assert frontend.config.positions((samples,)) == int(out.mask.sum())
    assert (samples >= frontend.config.fewest_samples) == bool(out.mask.any())


@each
def test_padding_and_what_stands_in_it_change_nothing(kind: str) -> None:
    """Sums of another order over float32 numbers of size 1: 1e-5. The audio's are normalised logarithms: 1e-4."""
    frontend, sources = build(kind), draw(kind)
    close = {"rtol": 0, "atol": 1e-4 if kind == "audio" else 1e-5}
    with torch.no_grad():
        together, noisy = frontend(padded(kind, sources)), frontend(padded(kind, sources, fill=3.0))
        assert torch.equal(noisy.mask, together.mask)
        torch.testing.assert_close(noisy.values[noisy.mask], together.values[together.mask], **close)
        for row, one in enumerate(sources):
            alone = (
                frontend(padded(kind, [one])) if one.numel() else Padded(torch.zeros(1, 0, WIDTH), torch.ones(1, 0) > 0)
            )
            torch.testing.assert_close(together.values[row][together.mask[row]], alone.values[alone.mask], **close)


@each
def test_an_encoder_reads_what_comes_out_and_trains_it(kind: str) -> None:
    frontend = build(kind).train()
    encoder = encoders.build(encoders.config("transformer")(width=WIDTH, layers=1, heads=2, dropout=0.0))
    out = frontend(padded(kind, draw(kind)))
    memory = encoder(out.values, out.mask)
    memory.states[out.mask].square().sum().backward()
    for name, parameter in frontend.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
