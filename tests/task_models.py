"""Tiny models of several tasks, with random parameters: what they answer means nothing, but they answer."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import torch

from endash.corpora import Record
from endash.label_model import LabelModel
from endash.loading import class_of
from endash.model import Model
from endash.recipe import Recipe

TEXTS = ("the door is red", "the lamp is blue", "a window is open", "the roof is old")
ENCODER = 'encoder = { kind = "transformer", width = 16, layers = 1, heads = 2, dropout = 0.0 }'
HALVES = """
link = { kind = "cross-attention", heads = 2 }
decoder = { kind = "transformer", width = 16, layers = 1, heads = 2, dropout = 0.0 }
decoding = { beam = 1, max_ratio = 0.0, max_extra = 4 }
"""
READERS = {
    "classification": 'kind = "tsv", path = "given.tsv", source = "text", target = "label"',
    "inference": 'kind = "tsv", path = "given.tsv", source = ["premise", "hypothesis"], target = "label"',
    "tagging": 'kind = "jsonl", path = "given.jsonl", source = "tokens", target = "tags"',
    "speech-recognition": 'kind = "tsv", path = "given.tsv", files = "sounds", source = "file", target = "word"',
    "captioning": 'kind = "tsv", path = "given.tsv", files = "pictures", source = "file", target = "caption"',
    "dialogue": 'kind = "dialogue", path = "given.jsonl"',
    "generation": 'kind = "tsv", path = "given.tsv", source = "mr", target = "text"',
}
LABELS = ("classification", "inference", "tagging")
SIGNALS = ("speech-recognition", "captioning")
MORE = {"speech-recognition": 'frontend = { kind = "audio", rate = 8000, mels = 20 }'}


def recipe(kind: str, *changes: str) -> Recipe:
    """The recipe of a tiny model of this task."""
    parts = [f'name = "{kind}"', f'task = {{ kind = "{kind}" }}', ENCODER, MORE.get(kind, "")]
    parts += [] if kind in LABELS else [HALVES]
    parts += [f"corpus = {{ train = {{ {READERS[kind]} }} }}", "text = { size = 400, max_length = 40 }"]
    return Recipe.parse("\n".join(parts), changes)


def build(kind: str, *changes: str) -> Model | LabelModel:
    """A model of this task that knows the words of `TEXTS` and two labels."""
    made = recipe(kind, *changes)
    torch.manual_seed(0)
    return class_of(made).build(made, made.does.vocabulary(lambda: map(_record, [kind] * 4, TEXTS), made.text))


def write(kind: str, folder: Path, *changes: str) -> Path:
    """The same as a folder."""
    build(kind, *changes).save(folder)
    return folder


def sound(seconds: float = 0.3) -> bytes:
    """A WAV file of 8 kHz."""
    samples = (8000 * np.sin(np.arange(int(8000 * seconds)))).astype("<i2")
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return held.getvalue()


def _record(kind: str, text: str) -> Record:
    words = tuple(text.split())
    if kind == "tagging":
        return Record(text, "", sources=words, targets=("O", "B-thing", "O", "O"))
    if kind == "inference":
        return Record(f"{text}\n{text}", "yes" if "e" in words[-1] else "no", sources=(text, text))
    return Record(text, ("yes" if words[0] == "a" else "no") if kind in LABELS else text)
