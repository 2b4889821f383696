"""The kernels' speed, where a compiler that spills the sums of a tile would be seen: it is 3 to 10 times slower."""

from __future__ import annotations

import pytest

ROWS, INPUTS, OUTPUTS = 14, 256, 1024
FACTOR = 8  # seen: 55 with AVX-512 VNNI and 27 with AVX2, and a busy machine slows both sides


def test_the_best_instruction_set_multiplies_bytes_far_faster_than_plain_cpp() -> None:
    """A ratio of the two best of some rounds on this machine: no time by itself is asserted."""
    from endash import _native

    best = _native.instruction_sets()[0]
    if best == "plain C++":
        pytest.skip("this machine has plain C++ alone")
    fast = max(_native.speed(best, "int8", ROWS, INPUTS, OUTPUTS) for _ in range(3))
    assert fast > FACTOR * _native.speed("plain C++", "int8", ROWS, INPUTS, OUTPUTS)
