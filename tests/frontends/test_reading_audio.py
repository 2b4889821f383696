from __future__ import annotations

import io
import sys
import tarfile
import wave

import numpy as np
import pytest
from numpy.typing import NDArray

from endash.errors import CorpusError, EndashError
from endash.frontends.reading_audio import read_audio
from shared import shared

soundfile = pytest.importorskip("soundfile", reason="audio is read by soundfile")


def written(samples: NDArray[np.generic], rate: int = 8000, kind: str = "WAV", subtype: str | None = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def noise(*shape: int) -> NDArray[np.int16]:
    return np.random.default_rng(0).integers(-(2**15), 2**15, shape, dtype=np.int16)


def tone(hertz: float, *, rate: int, seconds: float = 0.5) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF"])
def test_16_bits_at_the_rate_asked_for_come_out_as_they_are(kind: str) -> None:
    samples = noise(500)
    found = read_audio(written(samples, kind=kind), "a", rate=8000)
    assert found.dtype == np.int16
    assert found.tolist() == samples.tolist()


def test_channels_are_averaged() -> None:
    samples = np.array([[100, 300], [-50, -70], [32767, 32767], [-32768, 32767]], dtype=np.int16)
    assert read_audio(written(samples), "a", rate=8000).tolist() == [200, -60, 32767, 0]  # -0.5 is rounded to even


@pytest.mark.parametrize("kind", ["OGG", "MP3"])
def test_lossy_formats_are_read(kind: str) -> None:
    wanted = tone(440, rate=16_000) * 2**15
    found = read_audio(written(tone(440, rate=16_000), 16_000, kind, None), "a", rate=16_000)
    assert len(found) == len(wanted)
    assert np.abs(found - wanted)[500:-500].max() < 0.1 * 2**14  # what the formats leave out


def mp3(samples: NDArray[np.floating], mode: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return file.getvalue()


def test_an_mp3_whose_end_is_not_reached_is_refused() -> None:
    """Its size is told by a header named Xing; without that it is taken for as many frames as its first would fill."""
    samples = np.concatenate([noise(32_000) / 2**16, np.zeros(32_000)])
    whole = mp3(samples, "VARIABLE")
    assert whole.count(b"Xing") == 1
    assert len(read_audio(whole, "a", rate=16_000)) == len(samples)
    for tag in (b"", b"TAG" + bytes(125)):
        with pytest.raises(CorpusError, match=r"a\.mp3 is an MP3 of variable bit rate .*: convert it"):
            read_audio(whole.replace(b"Xing", bytes(4)) + tag, "a.mp3", rate=16_000)


@pytest.mark.parametrize("more", range(0, 576, 37))
def test_an_mp3_may_end_in_padding_and_tags(more: int) -> None:
    samples = noise(20_000 + more) / 2**16
    whole = mp3(samples, "CONSTANT")
    for data in (
        whole,
        whole + b"TAG" + bytes(125),
        whole + b"APETAGEX" + bytes(992),
        whole.replace(b"Info", bytes(4)),
    ):
        assert len(read_audio(data, "a", rate=16_000)) >= len(samples)


@pytest.mark.parametrize("rate", [44_100, 16_000, 11_025, 4000])
def test_another_rate_is_changed(rate: int) -> None:
    found = read_audio(written(tone(440, rate=rate), rate), "a", rate=8000)
    wanted = tone(440, rate=8000) * 2**15
    assert len(found) == pytest.approx(len(wanted), abs=1)
    middle = slice(400, 3600)  # the filter sees silence beyond the ends
    assert np.abs(found[middle] - wanted[middle]).max() < 0.01 * 2**14  # the ripple of the filter's pass band


def test_what_the_lower_rate_cannot_hold_is_filtered_away() -> None:
    found = read_audio(written(tone(6000, rate=16_000), 16_000), "a", rate=8000)
    assert np.abs(found[400:3600]).max() < 0.01 * 2**14  # unfiltered it would sound at 2 kHz, as loud as before


def test_beyond_full_scale_all_is_made_softer_and_nothing_is_clipped() -> None:
    samples = np.array([0.5, -4.0, 2.0, 1.0])
    found = read_audio(written(samples, subtype="FLOAT"), "a", rate=8000)
    assert found.tolist() == [4096, -32768, 16384, 8192]


def cut(samples: NDArray[np.generic], kind: str, subtype: str | None = None) -> bytes:
    whole = written(samples, kind=kind, subtype=subtype)
    return whole[: len(whole) * 3 // 4]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a\.wav is an empty file: leave it out, or"),
        (
            b"This is no audio at all, but text. " * 9,
            r"a\.wav cannot be read as audio \(.*\): give WAV, FLAC, Ogg or MP3",
        ),
        (written(noise(0)), r"a\.wav holds no samples: leave it out"),
        (written(noise(9))[:30], r"a\.wav cannot be read as audio"),
        (cut(noise(900), "WAV"), r"a\.wav is cut off: its end is missing; bring it back"),
        (cut(noise(900), "AIFF"), r"a\.wav is cut off"),
        (cut(noise(900), "AU"), r"a\.wav is cut off"),
        (cut(noise(900), "FLAC"), r"a\.wav cannot be read as audio \(.*flac"),
        (cut(noise(20_000), "OGG"), r"a\.wav is cut off"),
        (written(noise(20_000), kind="OGG", subtype=None)[:-1], r"a\.wav is cut off"),
        (written(np.array([0.1, np.nan]), subtype="FLOAT"), r"a\.wav holds samples that are no numbers"),
        (written(noise(900), 999), r"a\.wav has 999 samples a second: 1,000 to 400,000 are read; convert it"),
        (written(noise(900), 400_001), r"a\.wav has 400,001 samples a second"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_audio(data, "a.wav", rate=8000)


def test_a_file_written_as_a_stream_is_read() -> None:
    """A program that writes to a pipe does not know how long it will be, and says that it is as long as can be."""
    whole = written(noise(100))
    assert whole[36:40] == b"data"
    streamed = whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:]
    assert read_audio(streamed, "a", rate=8000).tolist() == noise(100).tolist()


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(EndashError, match=r"takes the library soundfile .*: pip install 'endash\[speech\]'") as caught:
        read_audio(b"", "a", rate=8000)
    assert not isinstance(caught.value, CorpusError)  # it is no fault of the file's


@pytest.mark.parametrize(("part", "count"), [("train", 2250), ("test", 250)])
def test_all_recordings_of_a_corpus(part: str, count: int) -> None:
    """They are 16 bits at 8 kHz, and come out as the standard library reads them."""
    with tarfile.open(shared(f"speech/fsdd/{part}.tar.gz")) as archive:
        files = [one for one in archive if one.isfile()]
        assert len(files) == count
        for file in files:
            held = archive.extractfile(file)
            assert held is not None
            data = held.read()
            with wave.open(io.BytesIO(data)) as plain:
                wanted = np.frombuffer(plain.readframes(plain.getnframes()), dtype="<i2")
            assert np.array_equal(read_audio(data, file.name, rate=8000), wanted)
