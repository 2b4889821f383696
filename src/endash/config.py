"""The base of every typed setting: frozen, strict, unknown keys refused; and settings that are given on a command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from endash.errors import RecipeError


class Config(BaseModel):
    """Settings of one part. A part declares its own fields, with their ranges, beside its code."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def apply_overrides(data: dict[str, Any], overrides: Iterable[str]) -> set[str]:
    """Put each ``dotted.key=value`` into `data`; a value is TOML, or a plain string. Gives the dotted keys.

    Raises RecipeError for one that has no ``=`` or that leads into what is no table.
    """
    changed = set()
    for override in overrides:
        dotted, equals, value = (piece.strip() for piece in override.partition("="))
        keys = dotted.split(".")
        if not equals or not all(keys):
            raise RecipeError(f"--set {override}: an override is KEY=VALUE, such as --set training.max_steps=100")
        table = data
        for depth, key in enumerate(keys[:-1], start=1):
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                inner = ".".join(keys[:depth])
                raise RecipeError(f"--set {override}: {inner} is {table!r:.60}, not a table: set {inner} as a whole")
        table[keys[-1]] = _value(value)
        changed.add(dotted)
    return changed


def _value(text: str) -> Any:
    """`text` as a TOML value where it is one, else as it stands: kinds and paths need no quotation marks."""
    try:
        value = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return value["value"] if len(value) == 1 and isinstance(value["value"], str | int | float | list | dict) else text
