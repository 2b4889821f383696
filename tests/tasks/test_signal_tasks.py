"""Tasks whose sources are files: what becomes of one that is broken, or too short to be heard."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import MADE, sound

from endash.corpora import Record
from endash.corpora.media import Media
from endash.errors import CorpusError
from endash.recipe import Recipe

pytest.importorskip("soundfile", reason="audio is read by soundfile")


def test_a_recording_of_which_nothing_is_heard_is_a_fault(tmp_path: Path) -> None:
    task = Recipe.parse(MADE["speech-recognition"](tmp_path)).does
    for name, seconds in (("long.wav", 0.5), ("short.wav", 0.05)):
        (tmp_path / name).write_bytes(sound(seconds, 440))
    (tmp_path / "broken.wav").write_bytes(sound(0.5, 440)[:2000])
    heard, short, broken = (
        Record(str(tmp_path / name), "", media=Media(str(tmp_path), name))
        for name in ("long.wav", "short.wav", "broken.wav")
    )
    assert task.fault(heard) is None
    assert task.fault(short) == (
        f"{tmp_path / 'short.wav'} is too short, 400 samples: not one position of a memory comes of it; leave it out"
    )
    with pytest.raises(CorpusError, match=r"broken\.wav is cut off"):
        task.signal(broken)
    with pytest.raises(CorpusError, match=r"short\.wav is too short"):
        task.record(tmp_path / "short.wav")
