from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from endash.errors import MemoryStoreError
from endash.memory import Memory
from endash.memory_store.packing import Precision, pack, unpack
from memories import assert_same, made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_float32_keeps_every_bit_of_what_is_no_wider(dtype: torch.dtype) -> None:
    memory = made().join(made((1, 3), seed=1)).to(dtype=dtype)
    assert_same(unpack(pack(memory, "float32")), memory)


def test_what_is_not_there_is_not_there_afterwards() -> None:
    bare = Memory(torch.randn(1, 3, 4), torch.ones(1, 3, dtype=torch.bool))
    for precision in ("float32", "float16", "int8"):
        found = unpack(pack(bare, precision))
        assert (found.summary, found.layers, found.tokens, found.segments, found.sources) == (None, (), None, None, ())


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_what_is_narrowed_comes_back_in_its_dtype_and_the_rest_to_the_bit(precision: Precision) -> None:
    memory = made().join(made((1, 3), seed=1)).to(dtype=torch.float64)
    memory = replace(memory, states=memory.states / 3)  # no float32 any more
    found = unpack(pack(memory, precision))
    assert found.states.dtype == found.layers[1].dtype == torch.float64
    exact = {name: getattr(memory, name) for name in ("states", "summary", "layers", "latent")}
    assert_same(replace(found, **exact), memory)
    assert found.summary is not None
    assert not torch.equal(found.states, memory.states)
    assert torch.allclose(found.summary, exact["summary"], atol=0.02)


def test_float16_is_off_by_half_of_its_last_place_at_most() -> None:
    memory = made((50, 7))
    error = (unpack(pack(memory, "float16")).states - memory.states).abs()
    assert error.max() > 0
    assert (error <= memory.states.abs() * 2**-11 + 2**-25).all()  # 11 significant bits; below 2^-14 steps of 2^-24


def test_int8_is_off_by_half_a_step_of_its_position_at_most() -> None:
    memory = made((50, 7))
    states = memory.states * torch.logspace(-6, 6, 50)[None, :, None]  # a large position takes nothing from a small one
    states[0, 3] = 0
    found = unpack(pack(replace(memory, states=states), "int8")).states
    step = states.abs().amax(-1, keepdim=True) / 127
    error = (found - states).abs()
    assert error.max() > 0
    assert (error <= step * 0.5001).all()  # and the rounding of the division
    assert torch.equal(found[0, 3], torch.zeros(6))
    assert torch.equal(unpack(pack(replace(memory, states=states * 0), "int8")).states, states * 0)


def test_fewer_bits_take_less_room() -> None:
    memory = made((100,), width=64)
    sizes = {precision: len(pack(memory, precision)) for precision in ("float32", "float16", "int8")}
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.4 * sizes["float32"]


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_a_memory_without_positions_is_kept(precision: Precision) -> None:
    none = made((2, 0)).select([1]).trim()
    assert unpack(pack(none, precision)).states.shape == (1, 0, 6)


@pytest.mark.parametrize(
    ("largest", "precision", "told"),
    [(1e5, "float16", r"states reach 1e\+05, which float16"), (float("inf"), "int8", "states reach inf, which int8")],
)
def test_numbers_that_do_not_fit_are_refused(largest: float, precision: Precision, told: str) -> None:
    memory = made()
    memory.states[0, 1, 2] = largest
    with pytest.raises(MemoryStoreError, match=rf"{told} cannot hold: keep .* of precision = 'float32'$"):
        pack(memory, precision)
    assert torch.equal(unpack(pack(memory, "float32")).states, memory.states)
