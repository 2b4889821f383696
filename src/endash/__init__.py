"""Encoder–decoder models whose link and memory you choose, look at, keep, reuse and teach.

>>> import endash
>>> model = endash.load("runs/demo")                      # doctest: +SKIP
>>> model("The door is open.")                            # doctest: +SKIP
'Die Tür ist offen.'

The names below are imported when they are first used, so that ``import endash`` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from endash.engine import Engine
    from endash.label_model import LabelModel
    from endash.loading import load
    from endash.memory import Memory
    from endash.memory_store import MemoryStore
    from endash.model import Model
    from endash.plugins import load_plugin
    from endash.recipe import Recipe
    from endash.training import train

__version__ = "0.1.0"
__all__ = [
    "Engine",
    "LabelModel",
    "Memory",
    "MemoryStore",
    "Model",
    "Recipe",
    "__version__",
    "load",
    "load_plugin",
    "train",
]

_HOMES = {
    "Engine": "endash.engine",
    "LabelModel": "endash.label_model",
    "Memory": "endash.memory",
    "MemoryStore": "endash.memory_store",
    "Model": "endash.model",
    "Recipe": "endash.recipe",
    "load": "endash.loading",
    "load_plugin": "endash.plugins",
    "train": "endash.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'endash' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
