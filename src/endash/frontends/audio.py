"""Log-mel frames of audio. Shapes: B batch, N samples, T frames, F frequencies, M mel channels, S positions, D width."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.frontends.registry import frontends
from endash.parts.contracts import Frontend, FrontendConfig, Padded
from endash.parts.masks import hide

_SILENCE = 1e-10  # energies below it count as this, so that their logarithm is finite
_KERNEL, _STRIDE = 3, 2  # of each of the two convolutions
_FEWEST = 7  # frames from which the two make one position
_HIDDEN = 2  # stretches of time, and as many bands of channels


class AudioConfig(FrontendConfig):
    """Settings of the audio frontend."""

    reads: ClassVar = "samples"

    kind: Literal["audio"] = "audio"
    rate: int = Field(16_000, ge=1000, description="samples a second")
    window: float = Field(0.025, gt=0, description="seconds of a frame")
    hop: float = Field(0.01, gt=0, description="seconds from one frame to the next")
    mels: int = Field(80, ge=7, description="mel channels")
    hide_time: float = Field(
        0.0, ge=0, lt=1, description="share of a recording that each of two random stretches hides at most, in training"
    )
    hide_mels: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the mel channels that each of two random bands hides at most, in training",
    )

    @property
    def window_samples(self) -> int:
        """Samples of a frame."""
        return max(2, round(self.window * self.rate))

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return max(1, round(self.hop * self.rate))

    @property
    def fft(self) -> int:
        """Samples of a Fourier transform: a power of two that holds a frame."""
        return 1 << (self.window_samples - 1).bit_length()

    @property
    def fewest_samples(self) -> int:
        """Samples of the shortest audio that has a position."""
        return self.window_samples + (_FEWEST - 1) * self.hop_samples

    def positions(self, shape: tuple[int, ...]) -> int:
        """Those of samples (N), about one of 4 · hop each; none of audio with fewer than `fewest_samples`."""
        if shape[0] < self.fewest_samples:
            return 0
        return _shorter(_shorter((shape[0] - self.window_samples) // self.hop_samples + 1))

    @model_validator(mode="after")
    def _every_channel_hears(self) -> Self:
        deaf = (mel_filters(self.mels, self.fft, self.rate).sum(0) == 0).nonzero().flatten().tolist()
        if deaf:
            raise ValueError(
                f"frontend.mels = {self.mels} leaves channel {deaf[0]} without a frequency, for a window of {self.window} s "
                f"tells them apart by {self.rate / self.fft:.4g} Hz: use fewer mels, or a longer window"
            )
        return self


def mel_filters(mels: int, fft: int, rate: int) -> Tensor:
    """(F, M): the weight of each frequency k · rate / fft, k = 0 … fft/2, in each mel channel.

    Triangles between neighbours of mels + 2 points, at equal distances from 0 to rate / 2 on the mel scale
    m = 2595 log₁₀(1 + f / 700) (O'Shaughnessy 1987; filters: Davis & Mermelstein 1980, as in the HTK book, section 5.4).
    Channel i rises from 0 at point i to 1 at point i + 1 and falls to 0 at point i + 2, linearly in Hz.
    """
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    points = 700 * (10 ** (torch.linspace(0, highest, mels + 2, dtype=torch.float64) / 2595) - 1)
    frequencies_F1 = torch.arange(fft // 2 + 1, dtype=torch.float64)[:, None] * rate / fft
    rising = (frequencies_F1 - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - frequencies_F1) / (points[2:] - points[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def log_mel(samples_BN: Tensor, config: AudioConfig) -> Tensor:
    """(B, T, M): log Σ_f filter(f) |STFT(f)|², frame t from the samples t · hop … t · hop + window - 1, under a Hann window.

    T = 1 + (N - window) // hop: only whole frames, so that none mixes samples with what stands beyond them.
    """
    beyond = config.fft - config.window_samples
    window = nn.functional.pad(torch.hann_window(config.window_samples, device=samples_BN.device), (0, beyond))
    spectrum_BFT = torch.stft(
        nn.functional.pad(samples_BN.float(), (0, beyond)),
        config.fft,
        config.hop_samples,
        window=window,
        center=False,
        return_complex=True,
    )
    filters_FM = mel_filters(config.mels, config.fft, config.rate).to(samples_BN.device)
    return (spectrum_BFT.abs().square().transpose(1, 2) @ filters_FM).clamp(min=_SILENCE).log()


@frontends.register
class Audio(Frontend):
    """Log-mel frames and two convolutions, each of which halves their number (Dong et al. 2018, section 3.2; Gulati et al. 2020).

    Both are 3 × 3 over time and mel channels with stride 2 and a ReLU, as many channels as the width, then a projection.

    Departures: the convolutions read no padding at the ends, so that a position is real only if all it reads is; audio of fewer
    than 7 frames (85 ms by default) has no position. Each mel channel is brought to mean 0 and variance 1 over the real frames of
    its recording (Viikki & Laurila 1998), which makes up for the microphone's level.

    In training, stretches of time and bands of channels are hidden at random where that is asked for (Park et al. 2019).
    """

    Config = AudioConfig

    def __init__(self, config: AudioConfig, *, width: int) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv2d(1, width, _KERNEL, _STRIDE)
        self.second = nn.Conv2d(width, width, _KERNEL, _STRIDE)
        self.projection = nn.Linear(width * _shorter(_shorter(config.mels)), width)

    def forward(self, source: Padded) -> Padded:
        """Samples (B, N), about -1 to 1, with a mask (B, N) → (B, S, D), S about T / 4."""
        config, weight = self.config, self.projection.weight
        missing = max(0, config.fewest_samples - source.mask.shape[1])
        samples = nn.functional.pad(hide(source.values, source.mask), (0, missing))
        frames_BTM = log_mel(samples, config)
        length_B = _whole(source.mask.sum(1), config.window_samples, config.hop_samples)
        frames_BTM = _normalise(frames_BTM, _mask(length_B, frames_BTM.shape[1])).to(weight.dtype)
        if self.training:
            frames_BTM = _hide_some(frames_BTM, length_B, config)
        x_BDSM = self.second(self.first(frames_BTM[:, None]).relu()).relu()
        vectors_BSD: Tensor = self.projection(x_BDSM.transpose(1, 2).flatten(2))
        for _ in range(2):
            length_B = _whole(length_B, _KERNEL, _STRIDE)
        return Padded(vectors_BSD, _mask(length_B, vectors_BSD.shape[1]))


def _whole(length: Tensor, size: int, step: int) -> Tensor:
    """How many stretches of `size`, `step` apart, lie wholly within a length."""
    return ((length - size).div(step, rounding_mode="floor") + 1).clamp(min=0)


def _shorter(length: int) -> int:
    return (length - _KERNEL) // _STRIDE + 1


def _mask(length_B: Tensor, most: int) -> Tensor:
    return torch.arange(most, device=length_B.device) < length_B[:, None]


def _hide_some(frames_BTM: Tensor, length_B: Tensor, config: AudioConfig) -> Tensor:
    """Frames with random stretches and bands put to their mean, which is 0 (SpecAugment; Park et al. 2019, section 2).

    Departures: no time is warped, and the longest stretch is a share of the recording, and not so many frames of any.
    """
    if config.hide_time:
        frames_BTM = frames_BTM.masked_fill(
            _stretches(length_B, config.hide_time, frames_BTM.shape[1])[:, :, None], 0.0
        )
    if config.hide_mels:
        channels_B = torch.full_like(length_B, config.mels)
        frames_BTM = frames_BTM.masked_fill(_stretches(channels_B, config.hide_mels, config.mels)[:, None], 0.0)
    return frames_BTM


def _stretches(length_B: Tensor, share: float, most: int) -> Tensor:
    """(B, most): True in random stretches of each row, each from 0 to `share` of its length long, which may overlap."""
    width_BN, start_BN = torch.rand(2, len(length_B), _HIDDEN, device=length_B.device)
    width_BN = (width_BN * ((share * length_B).floor() + 1)[:, None]).floor()
    start_BN = (start_BN * (length_B[:, None] - width_BN + 1)).floor()
    place = torch.arange(most, device=length_B.device)
    inside_BNT = (place >= start_BN[:, :, None]) & (place < (start_BN + width_BN)[:, :, None])
    hidden: Tensor = inside_BNT.any(1)
    return hidden


def _normalise(frames_BTM: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean 0 and variance 1 of each channel over each row's real frames."""
    count_B11 = mask_BT.sum(1)[:, None, None].clamp(min=1)
    centred = frames_BTM - hide(frames_BTM, mask_BT).sum(1, keepdim=True) / count_B11
    variance = hide(centred.square(), mask_BT).sum(1, keepdim=True) / count_B11
    return centred * (variance + 1e-5).rsqrt()
