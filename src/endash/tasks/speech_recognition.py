"""Speech recognition: a recording, and what is said in it."""

from __future__ import annotations

from typing import Literal

from endash.config import Config as Settings
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
