from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch import Tensor

from endash.frontends.audio import Audio, AudioConfig, log_mel, mel_filters
from endash.parts.contracts import Padded


def slow_filters(mels: int, fft: int, rate: int) -> list[list[float]]:
    """The filters by the definition, one number at a time in float64."""

    def mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    points = [700 * (10 ** (i * mel(rate / 2) / (mels + 1) / 2595) - 1) for i in range(mels + 2)]
    rows = []
    for k in range(fft // 2 + 1):
        hertz, row = k * rate / fft, []
        for left, top, right in zip(points, points[1:], points[2:], strict=False):
            if left < hertz <= top:
                row.append((hertz - left) / (top - left))
            elif top < hertz < right:
                row.append((right - hertz) / (right - top))
            else:
                row.append(0.0)
        rows.append(row)
    return rows


def test_the_filters_are_those_of_a_slow_loop() -> None:
    # float32 against float64: 6e-8 relative, of weights up to 1
    torch.testing.assert_close(mel_filters(23, 256, 8000), torch.tensor(slow_filters(23, 256, 8000)), rtol=0, atol=1e-6)


def test_the_filters_are_those_computed_by_hand() -> None:
    """One channel from 0 to 4 kHz: its top, halfway in mel, is where 1 + f / 700 is √(1 + 4000 / 700) = 2.591194: at 1113.836 Hz."""
    filters = mel_filters(1, 8, 8000)[:, 0]  # at 0, 1, 2, 3 and 4 kHz
    top = 1113.836
    wanted = torch.tensor([0, 1000 / top, 2000 / (4000 - top), 1000 / (4000 - top), 0])
    torch.testing.assert_close(filters, wanted, rtol=0, atol=1e-5)  # the top was rounded to seven digits


def test_frames_are_those_of_a_slow_fourier_transform() -> None:
    torch.manual_seed(0)
    config = AudioConfig(rate=1000, window=0.03, hop=0.01, mels=7)
    samples = torch.randn(1, 64)
    found = log_mel(samples, config)
    assert found.shape == (1, 1 + (64 - 30) // 10, 7)
    filters = slow_filters(7, 32, 1000)
    for t in range(found.shape[1]):
        frame = [samples[0, 10 * t + n].item() * (0.5 - 0.5 * math.cos(2 * math.pi * n / 30)) for n in range(30)]
        powers = [
            abs(sum(x * cmath.exp(-2j * math.pi * k * n / 32) for n, x in enumerate(frame))) ** 2 for k in range(17)
        ]
        wanted = [math.log(sum(p * row[m] for p, row in zip(powers, filters, strict=True))) for m in range(7)]
        torch.testing.assert_close(found[0, t], torch.tensor(wanted), rtol=0, atol=1e-4)  # logarithms of float32 sums


def test_a_tone_is_loudest_in_its_channel() -> None:
    config = AudioConfig()
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(16_000) / 16_000)[None]
    mel_of_1000 = 2595 * math.log10(1 + 1000 / 700)
    step = 2595 * math.log10(1 + 8000 / 700) / 81
    assert (log_mel(tone, config).argmax(2) - (mel_of_1000 / step - 1)).abs().max() < 1


def test_a_microphones_level_changes_nothing() -> None:
    torch.manual_seed(0)
    frontend = Audio(AudioConfig(mels=20), width=8)
    loud = Padded(torch.randn(1, 4000), torch.ones(1, 4000, dtype=torch.bool))
    quiet = Padded(loud.values / 50, loud.mask)
    # the floor of the variance, 1e-5 of about 1, and float32 logarithms
    torch.testing.assert_close(frontend(quiet).values, frontend(loud).values, rtol=0, atol=1e-4)


def test_more_mels_than_frequencies_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"frontend\.mels = 200 leaves channel 0 .* by 31\.25 Hz: use fewer mels, or a"
    ):
        AudioConfig(mels=200)


def heard(**settings: float) -> tuple[Tensor, Tensor]:
    """What the first convolution is given of noise in training, of two lengths, and which of it is real."""
    frontend = Audio(AudioConfig(mels=20, **settings), width=8).train()
    seen: list[Tensor] = []
    frontend.first.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, 0]))
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(16_000) < torch.tensor([16_000, 8_000])[:, None]
    frontend(Padded(torch.randn(2, 16_000, generator=generator), mask))
    return seen[0], torch.arange(98) < torch.tensor([98, 48])[:, None]


def test_nothing_is_hidden_unless_asked_for() -> None:
    frames, real = heard()
    assert (frames[real] != 0).all()


def test_stretches_of_time_are_hidden_in_training() -> None:
    torch.manual_seed(0)
    shares = []
    for _ in range(50):
        frames, real = heard(hide_time=0.2)
        hidden = (frames == 0).all(2) & real
        assert torch.equal(hidden, (frames == 0).any(2) & real)  # whole frames
        for row, length in enumerate((98, 48)):
            edges = hidden[row, :length].int().diff(prepend=torch.zeros(1, dtype=torch.int32)).eq(1).sum()
            assert edges <= 2
            shares.append(hidden[row].sum().item() / length)
    assert max(shares) <= 0.4
    assert 0.1 < sum(shares) / len(shares) < 0.25  # two of 0 to 0.2, which may overlap


def test_bands_of_channels_are_hidden_in_training() -> None:
    torch.manual_seed(0)
    counts = []
    for _ in range(50):
        frames, real = heard(hide_mels=0.3)
        for row in range(2):
            hidden = (frames[row][real[row]] == 0).all(0)
            assert torch.equal(hidden, (frames[row][real[row]] == 0).any(0))
            counts.append(int(hidden.sum()))
    assert max(counts) <= 12
    assert min(counts) < 3
    assert sum(counts) / len(counts) > 3


def test_nothing_is_hidden_from_a_trained_model() -> None:
    frontend = Audio(AudioConfig(mels=20, hide_time=0.9, hide_mels=0.9), width=8).eval()
    source = Padded(torch.randn(1, 16_000), torch.ones(1, 16_000) > 0)
    assert torch.equal(frontend(source).values, frontend(source).values)
