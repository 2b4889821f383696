"""Kinds by name: how a recipe's ``kind = "…"`` finds the class that builds a part.

A kind enters by being registered, and with that enters `endash recipe list`, the recipe's checks and the conformance suite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError

from endash.config import Config
from endash.errors import RecipeError, nearest

T = TypeVar("T")


def kind_of(config: Config) -> str:
    """The kind under which a part's settings are registered."""
    return str(getattr(config, "kind"))  # noqa: B009  (every registered Config has a kind)


class Registry(Generic[T]):
    """The registered classes of one role, such as the links, each with its `Config` class under one kind."""

    def __init__(self, role: str) -> None:
        self.role = role
        self._classes: dict[str, type[T]] = {}

    def register(self, cls: type[T]) -> type[T]:
        """Class decorator: enter `cls` under the default of its ``Config.kind``.

        Raises RecipeError if another class holds that kind.
        """
        fields = getattr(cls, "Config", Config).model_fields
        kind = fields["kind"].default if "kind" in fields else None
        if not isinstance(kind, str):
            raise RecipeError(f'{cls.__name__}.Config.kind needs a default, such as kind: Literal["mine"] = "mine"')
        held = self._classes.get(kind)
        if held is not None and held.__qualname__ != cls.__qualname__:
            raise RecipeError(f"the {self.role} kind {kind!r} is taken by {held.__qualname__}: give yours another name")
        self._classes[kind] = cls
        return cls

    def __getitem__(self, kind: str) -> type[T]:
        try:
            return self._classes[kind]
        except KeyError:
            raise RecipeError(f"{self.role}.kind = {kind!r} is unknown: {nearest(kind, self._classes)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._classes))

    def __len__(self) -> int:
        return len(self._classes)

    def config(self, kind: str) -> type[Config]:
        """The `Config` class of a kind. Raises RecipeError if the kind is unknown."""
        return self.config_of(self[kind])

    def build(self, config: Config, *args: Any, **kwargs: Any) -> T:
        """The part that `config` describes; what else it needs is passed on to its constructor."""
        cls: Callable[..., T] = self[getattr(config, "kind")]  # noqa: B009  (every registered Config has a kind)
        return cls(config, *args, **kwargs)

    def field(self) -> BeforeValidator:
        """For a setting that holds a part: turns a table with a `kind` into the settings registered under that kind."""

        def check(value: Any) -> Any:
            if isinstance(value, Config):
                return value
            if value is None:  # where a part is needed
                raise ValueError("is missing, and has no default")
            if not isinstance(value, dict):
                raise ValueError(f'a table is needed, such as {self.role} = {{ kind = "{next(iter(self))}" }}')
            if value.get("kind") not in list(self):
                tags = {"tag": str(value.get("kind", "")), "expected_tags": str(list(self)), "discriminator": "kind"}
                raise PydanticKnownError("union_tag_invalid", tags)
            return self.config(value["kind"]).model_validate_json(json.dumps(value))

        return BeforeValidator(check)

    @staticmethod
    def config_of(registered: type[Any]) -> type[Config]:
        """The settings class that a registered class declares as its nested ``Config``."""
        found: type[Config] = registered.Config
        return found
