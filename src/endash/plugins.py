"""Parts of a user's own: Python files whose classes register themselves."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path

from endash.errors import RecipeError

_NAME = "endash_plugin_"


def load_plugin(path: str | Path) -> None:
    """Run a Python file, once in a process, so that the parts in it are registered.

    Raises RecipeError for a file that is missing or that fails, with its line.
    """
    where = Path(path).resolve()
    name = f"{_NAME}{where.stem}_{hashlib.sha256(str(where).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    if not where.is_file():
        raise RecipeError(f"plugin {path}: there is no such file; name a Python file that registers a part")
    spec = importlib.util.spec_from_file_location(name, where)
    if spec is None or spec.loader is None:
        raise RecipeError(f"plugin {path} is no Python file: its name has to end in .py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        here = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == str(where)]
        line = here[-1] if here else error.lineno if isinstance(error, SyntaxError) else "?"
        raise RecipeError(f"plugin {path}, line {line}: {type(error).__name__}: {error}") from error


def plugin_of(error: BaseException) -> str | None:
    """Where in a plugin's code an error came about, as ``FILE, line 3``; None for one with which no plugin has to do."""
    files = {module.__file__ for name, module in sys.modules.items() if name.startswith(_NAME)}
    calls = reversed(traceback.extract_tb(error.__traceback__))
    return next((f"{call.filename}, line {call.lineno}" for call in calls if call.filename in files), None)
