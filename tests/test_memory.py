from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from endash.errors import MemoryMismatchError
from endash.memory import FORMAT, Latent, Memory, stack


def made(lengths: tuple[int, ...] = (4, 2), *, seed: int = 0, width: int = 6, origin: str = "here") -> Memory:
    """A memory with all that a memory can hold."""
    generator = torch.Generator().manual_seed(seed)
    B, S = len(lengths), max(lengths)
    mask = torch.arange(S) < torch.tensor(lengths)[:, None]
    states = torch.randn(B, S, width, generator=generator)
    return Memory(
        states,
        mask,
        summary=states.mean(1),
        layers=(states * 2, states),
        tokens=torch.randint(5, 20, (B, S), generator=generator) * mask,
        sources=tuple(f"text {seed}.{row} – ü\n\U0001f3e0" for row in range(B)),
        origin=origin,
    )


def assert_same(got: Memory, wanted: Memory) -> None:
    for field in fields(Memory):
        one, other = getattr(got, field.name), getattr(wanted, field.name)
        if isinstance(other, Tensor):
            assert one.dtype == other.dtype, field.name
            assert torch.equal(one, other), field.name
        elif field.name == "layers":
            assert len(one) == len(other)
            assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))
        else:
            assert one == other, field.name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_what_is_saved_is_loaded_to_the_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    memory = made().join(made((1, 3), seed=1)).to(dtype=dtype)
    memory.save(tmp_path / "new" / "folder" / "a.memory")
    assert_same(Memory.load(tmp_path / "new" / "folder" / "a.memory"), memory)


def test_what_an_encoder_does_not_make_is_not_there_afterwards(tmp_path: Path) -> None:
    memory = Memory(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    memory.save("plain")
    assert_same(Memory.load("plain"), memory)


def test_more_than_ten_layers_keep_their_order() -> None:
    states = torch.zeros(1, 1, 1)
    memory = Memory(states, states[:, :, 0] == 0, layers=tuple(states + i for i in range(12)))
    memory.save("deep")
    assert [layer.item() for layer in Memory.load("deep").layers] == list(range(12))


def test_an_empty_memory_is_saved_too() -> None:
    memory = made().select([])
    memory.save("empty")
    assert_same(Memory.load("empty"), memory)


def test_an_existing_file_survives_a_save_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made().save("kept")
    before = Path("kept").read_bytes()

    def full(tensors: object, path: Path, notes: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("endash.memory.save_tensors", full)
    with pytest.raises(MemoryMismatchError, match="cannot be written"):
        made(seed=1).save("kept")
    assert Path("kept").read_bytes() == before
    assert os.listdir(tmp_path) == ["kept"]


def test_a_missing_file_says_how_to_make_one() -> None:
    with pytest.raises(
        MemoryMismatchError, match=r"^no\.memory: there is no such memory file; write one with memory\.s"
    ):
        Memory.load("no.memory")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_no_memory(share: float) -> None:
    made().save("whole")
    content = Path("whole").read_bytes()
    Path("part").write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        MemoryMismatchError, match=r"^part is not a whole memory file \(.*\): encode the sources again$"
    ):
        Memory.load("part")


def test_a_file_of_something_else_is_no_memory() -> None:
    Path("text").write_text("The door is open.\n" * 20)
    with pytest.raises(MemoryMismatchError, match=r"^text is not a whole memory file"):
        Memory.load("text")
    save_file({"weight": torch.zeros(2)}, "model.safetensors")
    wanted = rf"^model\.safetensors is of format None, this version reads '{FORMAT}': encode the sources again$"
    with pytest.raises(MemoryMismatchError, match=wanted):
        Memory.load("model.safetensors")


@pytest.mark.parametrize("missing", ["states", "origin", "sources", None])
def test_a_file_without_a_memorys_parts_is_no_memory(missing: str | None) -> None:
    tensors = {"states": torch.zeros(1, 2, 3), "mask": torch.ones(1, 2, dtype=torch.bool)}
    notes = {"format": FORMAT, "origin": "here", "sources": '["a"]'}
    if missing is None:
        tensors["another"] = torch.zeros(1)
    else:
        tensors.pop(missing, None)
        notes.pop(missing, None)
    save_file(tensors, "odd", metadata=notes)
    with pytest.raises(MemoryMismatchError, match=r"^odd is not a whole memory file \(.*\): encode the sources again$"):
        Memory.load("odd")


def test_states_that_are_also_a_layer_are_saved_as_both() -> None:
    states = torch.randn(1, 2, 3)
    memory = Memory(states, torch.ones(1, 2, dtype=torch.bool), layers=(states,))
    memory.save("shared")
    assert_same(Memory.load("shared"), memory)


def test_shapes_that_are_no_memory_are_refused() -> None:
    with pytest.raises(MemoryMismatchError, match=r"found states \(2, 3\) and a torch\.bool mask \(2, 3\)"):
        Memory(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(MemoryMismatchError, match=r"a torch\.float32 mask \(2, 3\)"):
        Memory(torch.zeros(2, 3, 4), torch.ones(2, 3))
    with pytest.raises(MemoryMismatchError, match=r"a memory of 2 rows was given 1 source texts"):
        Memory(torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), sources=("one",))


@pytest.mark.parametrize("rows", [[1, 0, 1], torch.tensor([1, 0, 1]), torch.tensor([1, 0, 1], dtype=torch.int32)])
def test_selected_rows_come_in_the_order_asked_for(rows: list[int] | Tensor) -> None:
    memory = made()
    got = memory.select(rows)
    assert len(got) == 3
    assert got.sources == (memory.sources[1], memory.sources[0], memory.sources[1])
    assert got.origin == "here"
    assert got.summary is not None
    assert memory.summary is not None
    assert torch.equal(got.summary[1], memory.summary[0])
    assert torch.equal(got.layers[0][0], memory.layers[0][1])
    assert_same(got.select([1, 2]), memory)


def test_joined_memories_are_numbered_in_turn() -> None:
    first, second, third = made(), made((1, 3), seed=1), made((2, 2), seed=2)
    joined = first.join(second, third)
    assert joined.segments is not None
    assert joined.segments.tolist() == [[0, 0, 0, 0, 1, 1, 1, 2, 2]] * 2
    assert_same(first.join(second).join(third), joined)  # one after the other counts on
    nested = first.join(second.join(third)).segments
    assert nested is not None
    assert torch.equal(nested, joined.segments)
    assert torch.equal(joined.states, torch.cat([first.states, second.states, third.states], 1))
    assert joined.mask.tolist()[0] == [True, True, True, True, True, False, False, True, True]
    assert joined.sources == first.sources
    assert joined.summary is first.summary
    assert len(joined.layers) == 2
    assert joined.layers[1].shape == joined.states.shape


def test_parts_that_one_side_lacks_are_left_out_of_a_join() -> None:
    bare = replace(made(seed=1), tokens=None, layers=())
    joined = made().join(bare)
    assert joined.tokens is None
    assert joined.layers == ()


def test_a_memory_without_positions_takes_a_number_too() -> None:
    none = made((0, 0), seed=1)
    segments = made().join(none, made(seed=2)).segments
    assert segments is not None
    assert segments[0].tolist() == [0, 0, 0, 0, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (made((1, 2, 3)), r"memories of 2 rows × width 6 and 3 rows × width 6 cannot be joined: rows and widths must"),
        (made(width=8), r"2 rows × width 6 and 2 rows × width 8 cannot be joined"),
        (
            made(origin="there"),
            r"two encoders cannot be joined \(origins 'here' and 'there'\): encode both with the same",
        ),
    ],
)
def test_what_cannot_be_joined_says_why(other: Memory, message: str) -> None:
    with pytest.raises(MemoryMismatchError, match=message):
        made().join(made(), other)


def test_a_dtype_changes_the_floating_point_parts_only() -> None:
    memory = made().join(made(seed=1)).to(dtype=torch.bfloat16)
    assert memory.states.dtype == memory.layers[0].dtype == torch.bfloat16
    assert memory.mask.dtype == torch.bool
    assert memory.tokens is not None
    assert memory.segments is not None
    assert memory.tokens.dtype == memory.segments.dtype == torch.int64
    moved = memory.to("meta")
    assert moved.mask.device.type == moved.layers[0].device.type == "meta"
    assert moved.states.dtype == torch.bfloat16


def test_stacked_rows_are_what_they_were() -> None:
    latent = Latent(*torch.randn(3, 2, 2).unbind())
    memory = replace(made((4, 2)).join(made((1, 3), seed=1)), latent=latent)
    short = replace(made((2, 1), seed=2).join(made((1, 1), seed=3)), latent=latent)
    stacked = stack([short, memory])
    assert stacked.latent is not None
    assert torch.equal(stacked.latent.sample, latent.sample.repeat(2, 1))
    assert_same(replace(stacked, latent=None).select([2, 3]), replace(memory, latent=None))
    assert stacked.mask.sum(1).tolist() == [3, 2, 5, 5]
    assert torch.equal(stacked.states[:2, :3], short.states)
    assert not stacked.mask[:2, 3:].any()
    assert stacked.sources == short.sources + memory.sources
    assert len(stack([made().select([]), made()])) == 2
