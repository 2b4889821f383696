"""What the native core's tests share: they are skipped, with the reason, where it was not built."""

from __future__ import annotations

from pathlib import Path

import pytest

try:
    from endash import _native
except ImportError:
    _native = None  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _native is None:
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip("the native core was not built: no C++ compiler was found"))


@pytest.fixture(autouse=True)
def best_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best this machine has, even where it is plain C++ and PyTorch would be faster."""
    names = {"AVX-512 VNNI": "avx512", "AVX2": "avx2", "plain C++": "plain"}
    if _native is not None:
        monkeypatch.setenv("ENDASH_NATIVE", names[_native.instruction_sets()[0]])
