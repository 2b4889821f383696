"""What pydantic found wrong in a recipe, said with the file, the dotted key and what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from endash.config import Config
from endash.errors import nearest
from endash.registry import Registry

Parts = Mapping[str | int, Registry[Any]]
"""The keys whose tables have a `kind`, and where that is registered."""


def explain(
    error: ValidationError, data: dict[str, Any], *, where: str, changed: set[str], root: type[Config], parts: Parts
) -> list[str]:
    """A line for each thing that is wrong in `data`, read from `where` as settings of `root`; `changed` are keys given by --set."""
    lines = []
    for found in error.errors(include_url=False):
        keys = _real_keys(found, data) + (["kind"] if found["type"].startswith("union_tag") else [])
        dotted = ".".join(map(str, keys))
        unknown = found["type"] == "extra_forbidden"
        from_set = any(
            f"{dotted}.".startswith(f"{key}.") or (unknown and key.startswith(f"{dotted}.")) for key in changed
        )
        place = f"--set {dotted}" if from_set else f"{where}: {dotted}" if dotted else where
        lines.append(f"{place}: {_message(found, keys, data, root, parts)}{_leftover(found, keys, data, changed)}")
    return list(dict.fromkeys(lines))


def _real_keys(found: Any, data: Any) -> list[str | int]:
    """Where an error is, without the names of union branches that pydantic puts between the keys."""
    keys: list[str | int] = []
    for key in found["loc"]:
        if key in data if isinstance(data, dict) else isinstance(data, list) and isinstance(key, int):
            data = data[key]
            keys.append(key)
    return keys + ([found["loc"][-1]] if found["type"] == "missing" else [])


def _message(found: Any, keys: list[str | int], data: dict[str, Any], root: type[Config], parts: Parts) -> str:
    context = found.get("ctx", {})
    match found["type"]:
        case "extra_forbidden":
            kind = kind_in(_at(keys[:-1], data))
            owner = f"unknown key of kind {kind!r}" if kind else "unknown key"
            return f"{owner}; {nearest(str(keys[-1]), _allowed(keys[:-1], data, root, parts))}"
        case "missing":
            return "is missing, and has no default"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"{_shown(found['input'])} is unknown: {_choices(found['input'], context['expected'])}"
        case "union_tag_invalid":
            given = f'"{context["tag"]}" is unknown:' if context["tag"] else "is missing;"
            return f"{given} {_choices(context['tag'], context['expected_tags'])}"
    return re.sub(r"^\w+(?= should)", lambda _: _shown(found["input"]), found["msg"])


def _leftover(found: Any, keys: list[str | int], data: Any, changed: set[str]) -> str:
    """What to do about a key that an override of its section's kind left behind."""
    section = ".".join(map(str, keys[:-1]))
    if found["type"] != "extra_forbidden" or f"{section}.kind" not in changed:
        return ""
    return (
        f"""; to leave out what the former kind had: --set '{section}={{kind = "{kind_in(_at(keys[:-1], data))}"}}'"""
    )


def _choices(given: object, expected: str) -> str:
    return nearest(str(given), re.findall(r"'([^']*)'", expected) or [expected])


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _allowed(keys: list[str | int], data: Any, root: type[Config], parts: Parts) -> list[str]:
    """The names of the settings that may stand in the table at `keys`."""
    cls = root
    registry: Registry[Any] | None = None
    for key in keys:
        data = data[key]
        registry = registry if isinstance(key, int) else parts.get(key)  # also of a part that another one wraps
        if registry is not None:
            cls = registry.config(data["kind"]) if isinstance(data, dict) else cls  # else a list of them
        elif isinstance(key, str):
            choices = _configs(cls.model_fields[key].annotation)
            cls = next((one for one in choices if _kind(one) == kind_in(data)), choices[0])
    return list(cls.model_fields)


def _at(keys: list[str | int], data: Any) -> Any:
    for key in keys:
        data = data[key]
    return data


def _configs(annotation: Any) -> list[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _configs(inner)]


def _kind(cls: type[Config]) -> object:
    return cls.model_fields["kind"].default if "kind" in cls.model_fields else None


def kind_in(data: object) -> object:
    """The kind that a table names; None where it names none."""
    return data.get("kind") if isinstance(data, dict) else None
