"""Data sets of development: they stand beside the project's folder and are no part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(name: str) -> Path:
    """A file of the data sets; where it is absent the test is skipped."""
    path = _DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: the data sets are no part of the project")
    return path
