"""Audio files as samples at one rate. Shapes: N samples, C channels."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endash.errors import CorpusError, EndashError

_FULL = 2**15  # of int16
_RATES = (1_000, 400_000)  # the filter that changes a rate is as long as the rates are large
_SIZES = re.compile(r"(\d+) \(should be (\d+)\)")  # libsndfile's words for a size that a file gives, and the one it has
_PAGE = b"OggS"
_STREAM = 0x7FFF_F000  # a size from here on was written by a program that could not know it yet


def read_audio(data: bytes, name: str, *, rate: int) -> NDArray[np.int16]:
    """The samples (N,) of a file's content, `rate` of them a second, in every format that libsndfile knows.

    Channels are averaged, another rate is changed by a polyphase filter, and a recording that goes beyond full scale is
    brought down to it as a whole: nothing is clipped. Mono of 16 bits at `rate` comes out as it is.

    Raises CorpusError, which names the file, for one that is empty, cut off, broken or of another format; EndashError where
    soundfile is not installed.
    """
    samples_NC, found = _decoded(data, name)
    if len(samples_NC) == 0:
        raise CorpusError(f"{name} holds no samples: leave it out, or record it again")
    if not np.isfinite(samples_NC).all():
        raise CorpusError(f"{name} holds samples that are no numbers: make it anew")
    samples_N = samples_NC.mean(axis=1)
    if found != rate:
        samples_N = _resampled(samples_N, found, rate, name)
    samples_N /= max(1.0, float(np.abs(samples_N).max()))
    whole_N: NDArray[np.int16] = (samples_N * _FULL).round().clip(-_FULL, _FULL - 1).astype(np.int16)
    return whole_N


def _decoded(data: bytes, name: str) -> tuple[NDArray[np.float32], int]:
    """The samples (N, C), 1 being full scale, and their rate."""
    soundfile = _library()
    if not data:
        raise CorpusError(f"{name} is an empty file: leave it out, or bring it back from a copy")
    try:
        with soundfile.SoundFile(stream := io.BytesIO(data)) as file:
            told, frames, rate = file.extra_info, file.frames, file.samplerate
            samples_NC = file.read(dtype="float32", always_2d=True)
            unread = data[stream.tell() :] if file.format == "MP3" else b""
    except soundfile.SoundFileError as error:
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise CorpusError(
            f"{name} cannot be read as audio ({reason}): give WAV, FLAC, Ogg or MP3, and leave broken files out"
        ) from error
    sizes = [(int(size), int(there)) for size, there in _SIZES.findall(told)]
    short = len(samples_NC) < frames or any(there < size < _STREAM for size, there in sizes)
    if short or (data.startswith(_PAGE) and not _has_last_page(data)):
        raise CorpusError(f"{name} is cut off: its end is missing; bring it back from a copy, or leave it out")
    if _has_frames(unread):
        raise CorpusError(
            f"{name} is an MP3 of variable bit rate that does not tell its length, and would be cut: convert it, as to FLAC"
        )
    return samples_NC, rate


def _has_frames(unread: bytes) -> bool:
    """True if what libsndfile left of an MP3 are frames, more than the one or two of padding that it need not decode.

    Without a header that tells how many there are, it reckons by the size of the first, and reads no further.
    """
    header = unread[:2]
    return header[:1] == b"\xff" and header[1:] >= b"\xe0" and unread.count(header) > 2


def _has_last_page(data: bytes) -> bool:
    """True if an Ogg file ends on a whole page that says it is the last (RFC 3533, section 6); its readers do not ask."""
    page = data[data.rfind(_PAGE) :]
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) == 27 + len(lengths) + sum(lengths) and bool(page[5] & 4)


def _library() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: soundfile is there, and the library that it calls is not
        raise EndashError(
            f"to read audio takes the library soundfile ({error}): pip install 'endash[speech]'"
        ) from error
    return soundfile


def _resampled(samples_N: NDArray[np.float32], found: int, rate: int, name: str) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    least, most = _RATES
    if not least <= found <= most:
        raise CorpusError(f"{name} has {found:,} samples a second: {least:,} to {most:,} are read; convert it")
    common = math.gcd(found, rate)
    resampled: NDArray[np.float32] = resample_poly(samples_N, rate // common, found // common)
    return resampled
