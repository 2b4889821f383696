"""What a recipe leaves unsaid: the defaults of its task, the search of its decoder, and the folder that its paths start from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from endash.combination import SEARCHES
from endash.config import Config
from endash.decoders import decoders
from endash.explaining import kind_in
from endash.tasks import tasks


def plugins_of(data: dict[str, Any], folder: Path, *, typed: bool) -> list[str]:
    """The plugins that `data` names, from `folder` on, or from the working directory if `typed` on the command line."""
    named = data.get("plugins", [])
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        return []  # refused with the rest
    return [str(((Path.cwd() if typed else folder) / one).resolve()) for one in named]


def fill_in(data: dict[str, Any]) -> None:
    """Put under what `data` says itself: the defaults of its task, the metric that a training goes by, its decoder's search."""
    kind = kind_in(data.get("task", {"kind": "translation"}))
    if kind in list(tasks):  # else refused with the rest
        cls = tasks[str(kind)]
        if cls.writes == "text":
            data.setdefault("link", None)
            data.setdefault("decoder", None)
        training = {"metric": next(iter(cls.metrics), "loss"), **cls.defaults.get("training", {})}
        itself = any(
            kind_in(table) == "pretrained" for _, table in _encoders(data)
        )  # it reads sound or pixels as they are
        defaults = {key: value for key, value in cls.defaults.items() if not (itself and key == "frontend")}
        _under(data, {**defaults, "training": training})
    kind, decoding = kind_in(data.get("decoder")), data.setdefault("decoding", {})
    if kind in list(decoders) and isinstance(decoding, dict):
        decoding.setdefault("search", SEARCHES[decoders[str(kind)].writes][0])


def _under(data: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, value in defaults.items():
        if not isinstance(value, Mapping):
            data.setdefault(key, value)
        elif isinstance(held := data.setdefault(key, {}), dict) and held.get("kind", value.get("kind")) == value.get(
            "kind"
        ):
            _under(held, value)


def anchored(value: Any, folder: Path, key: str, changed: set[str]) -> Any:
    """Settings, their relative paths taken from `folder`, and from the working directory where `changed`."""
    if isinstance(value, tuple):
        return tuple(anchored(item, folder, key, changed) for item in value)
    if not isinstance(value, Config):
        return value
    paths = getattr(value, "paths", ("path",))
    update = {}
    for name in type(value).model_fields:
        held, dotted = getattr(value, name), f"{key}.{name}"
        if name in paths and isinstance(held, str):
            update[name] = str(_start(folder, dotted, changed) / held)
        elif isinstance(held, Config | tuple):
            update[name] = anchored(held, folder, dotted, changed)
    return value.model_copy(update=update)


def anchor_encoder(data: dict[str, Any], folder: Path, changed: set[str]) -> None:
    """Take the relative `folder` of a pretrained encoder, wrapped or not, from where `anchored` takes a corpus's paths."""
    for dotted, table in _encoders(data):
        held = table.get("folder")
        if held and isinstance(held, str):
            table["folder"] = str(_start(folder, f"{dotted}.folder", changed) / held)


def _encoders(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The table of the encoder, and of each that it wraps, with its dotted key."""
    table, dotted = data.get("encoder"), "encoder"
    while isinstance(table, dict):
        yield dotted, table
        table, dotted = table.get("encoder"), f"{dotted}.encoder"


def _start(folder: Path, dotted: str, changed: set[str]) -> Path:
    """The working directory where a key, or a table that holds it, was typed; else `folder`."""
    return Path.cwd() if any(f"{dotted}.".startswith(f"{one}.") for one in changed) else folder
