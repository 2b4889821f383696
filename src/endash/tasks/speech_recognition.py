"""Speech recognition: a recording, and what is said in it."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import NDArray

from endash.config import Config as Settings
from endash.frontends.reading_audio import read_audio
from endash.tasks.registry import tasks
from endash.tasks.signals import SignalTask


@tasks.register
class SpeechRecognitionTask(SignalTask):
    """A recording to its words: audio through a frontend, with CTC beside the decoder (Watanabe et al. 2017)."""

    class Config(Settings):
        """Section ``[task]`` with ``kind = "speech-recognition"``."""

        kind: Literal["speech-recognition"] = "speech-recognition"

    reads = "samples"
    metrics = ("wer", "cer")
    defaults = {  # noqa: RUF012  (a mapping that nobody changes)
        "frontend": {"kind": "audio"},
        "text": {"placeholders": False},
        "head": {"tie": "target", "ctc": 0.3},
    }

    def read(self, data: bytes, name: str) -> NDArray[Any]:
        """See `SignalTask.read`: samples at the rate of the frontend."""
        return read_audio(data, name, rate=getattr(self.frontend, "rate", 16_000))
