"""A tiny corpus and recipe of each task: enough to be trained on in a second."""

from __future__ import annotations

import io
import json
import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

COLOURS = ("red", "green", "blue", "black")
THINGS = ("door", "lamp", "light", "garden", "window")
SAYINGS = [f"the {thing} is {colour}" for thing in THINGS for colour in COLOURS] * 2

ENCODER = 'encoder = { kind = "transformer", width = 16, layers = 1, heads = 2, dropout = 0.0 }'
HALVES = """
link = { kind = "cross-attention", heads = 2 }
decoder = { kind = "transformer", width = 16, layers = 1, heads = 2, dropout = 0.0 }
"""
TRAINING = "training = { max_steps = 20, validate_every = 10, batch_tokens = 256, warmup = 5, learning_rate = 5e-3, average = 1 }"


def tsv(path: Path, header: str, rows: list[tuple[str, ...]]) -> str:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def recipe(task: str, train: str, *, writes_text: bool, more: str = "") -> str:
    top = [f'name = "{task}"', f'task = {{ kind = "{task}" }}', ENCODER, *([HALVES] if writes_text else []), TRAINING]
    return (
        "\n".join([*top, more, "[corpus]", f"train = {train}", "split = { valid = 0.35 }", "[text]", "size = 400"])
        + "\n"
    )


def sound(seconds: float, pitch: float) -> bytes:
    times = np.arange(int(8000 * seconds)) / 8000
    samples = (8000 * np.sin(2 * np.pi * pitch * times)).astype("<i2")
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return held.getvalue()


def picture(colour: tuple[int, int, int], width: int, height: int) -> bytes:
    """A PNG of one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes(colour) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _translation(folder: Path) -> str:
    path = tsv(folder / "made.tsv", "en\tde", [(one, one.upper()) for one in SAYINGS])
    return recipe("translation", f'{{ kind = "tsv", path = "{path}", source = "en", target = "de" }}', writes_text=True)


def _classification(folder: Path) -> str:
    path = tsv(folder / "made.tsv", "text\tlabel", [(one, one.split()[-1]) for one in SAYINGS])
    reader = f'{{ kind = "tsv", path = "{path}", source = "text", target = "label" }}'
    return recipe("classification", reader, writes_text=False)


def _inference(folder: Path) -> str:
    rows = [(one, other, "same" if one == other else "other") for one in SAYINGS[:8] for other in SAYINGS[:8]]
    path = tsv(folder / "made.tsv", "premise\thypothesis\tlabel", rows)
    reader = f'{{ kind = "tsv", path = "{path}", source = ["premise", "hypothesis"], target = "label" }}'
    return recipe("inference", reader, writes_text=False)


def _tagging(folder: Path) -> str:
    tags = ["O", "B-thing", "O", "B-colour"]
    path = jsonl(folder / "made.jsonl", [{"tokens": one.split(), "tags": tags} for one in SAYINGS])
    reader = f'{{ kind = "jsonl", path = "{path}", source = "tokens", target = "tags" }}'
    return recipe("tagging", reader, writes_text=False).replace(
        '{ kind = "tagging" }', '{ kind = "tagging", scheme = "bio" }'
    )


def _dialogue(folder: Path) -> str:
    rows: list[dict[str, object]] = [
        {"id": str(number), "turns": [{"speaker": "customer", "text": one}, {"speaker": "agent", "text": f"so {one}"}]}
        for number, one in enumerate(SAYINGS)
    ]
    path = jsonl(folder / "made.jsonl", rows)
    return recipe("dialogue", f'{{ kind = "dialogue", path = "{path}", replier = "agent" }}', writes_text=True)


def _denoising(folder: Path) -> str:
    path = folder / "made.txt"
    path.write_text("\n".join(SAYINGS), encoding="utf-8")
    return recipe("denoising", f'{{ kind = "plain", path = "{path}" }}', writes_text=True)


def _generation(folder: Path) -> str:
    rows: list[dict[str, object]] = [
        {"mr": f"name[{one.split()[1]}], area[{one.split()[3]}]", "refs": [one, f"well, {one}"]} for one in SAYINGS
    ]
    path = jsonl(folder / "made.jsonl", rows)
    return recipe(
        "generation", f'{{ kind = "jsonl", path = "{path}", source = "mr", target = "refs" }}', writes_text=True
    )


def _prompting(folder: Path) -> str:
    path = tsv(folder / "made.tsv", "text\tloud\tcolour", [(one, one.upper(), one.split()[-1]) for one in SAYINGS])
    readers = [
        f'{{ kind = "tsv", path = "{path}", source = "text", target = "{target}", prompt = "{target}: {{source}}" }}'
        for target in ("loud", "colour")
    ]
    made = recipe("prompting", f"[{', '.join(readers)}]", writes_text=True)
    return made.replace('kind = "prompting" }', 'kind = "prompting", examples = 2 }')


def _reconstruction(folder: Path) -> str:
    path = tsv(folder / "made.tsv", "en", [(one,) for one in SAYINGS])
    made = recipe("reconstruction", f'{{ kind = "plain", path = "{path}", column = "en" }}', writes_text=True)
    wrapped = 'encoder = { kind = "variational", width = 8, encoder = { kind = "lstm", width = 16, layers = 1 } }'
    made = made.replace(ENCODER, wrapped).replace('kind = "cross-attention", heads = 2', 'kind = "latent"')
    return made.replace(
        'kind = "transformer", width = 16, layers = 1, heads = 2, dropout = 0.0',
        'kind = "lstm", width = 16, layers = 1',
    )


def _files(folder: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return str(folder)


def _speech(folder: Path) -> str:
    files = {f"{number}.wav": sound(0.3 + 0.01 * number, 200 + 100 * (number % 4)) for number in range(24)}
    path = tsv(folder / "made.tsv", "file\tword", [(name, COLOURS[int(name[:-4]) % 4]) for name in files])
    reader = f'{{ kind = "tsv", path = "{path}", files = "{_files(folder, files)}", source = "file", target = "word", key = "file" }}'
    return recipe(
        "speech-recognition", reader, writes_text=True, more='frontend = { kind = "audio", rate = 8000, mels = 20 }'
    )


def _captioning(folder: Path) -> str:
    shades = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "black": (0, 0, 0)}
    files = {f"{number}.png": picture(shades[COLOURS[number % 4]], 32 + number, 24) for number in range(24)}
    rows = [(name, COLOURS[int(name[:-4]) % 4], "all " + COLOURS[int(name[:-4]) % 4]) for name in files]
    path = tsv(folder / "made.tsv", "file\tone\ttwo", rows)
    reader = (
        f'{{ kind = "tsv", path = "{path}", files = "{_files(folder, files)}", source = "file", '
        'target = ["one", "two"], key = "file" }'
    )
    return recipe("captioning", reader, writes_text=True).replace(
        'kind = "captioning" }', 'kind = "captioning", side = 32 }'
    )


MADE: dict[str, Callable[[Path], str]] = {
    "captioning": _captioning,
    "classification": _classification,
    "denoising": _denoising,
    "dialogue": _dialogue,
    "generation": _generation,
    "inference": _inference,
    "prompting": _prompting,
    "reconstruction": _reconstruction,
    "speech-recognition": _speech,
    "tagging": _tagging,
    "translation": _translation,
}
