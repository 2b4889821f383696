from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import endash

# The processes that these tests start import the helpers beside this file, and the package from where this process has it.
_PATHS = [str(Path(__file__).parent), str(Path(endash.__file__).parents[1])]
sys.path.insert(0, _PATHS[0])
os.environ["PYTHONPATH"] = os.pathsep.join(_PATHS)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
