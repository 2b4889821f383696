"""What all tests share."""

import os

import pytest

# two threads in one tiny product are slower than one, and tests must not depend on how many there are
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in an empty folder of its own."""
    monkeypatch.chdir(str(tmp_path))
