"""A memory as bytes and back, its floating-point numbers as they are or in fewer bits. Shapes: B rows, S positions, D width."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import torch
from safetensors.torch import load, save
from torch import Tensor

from endash.errors import MemoryStoreError
from endash.memory import Memory

Precision = Literal["float32", "float16", "int8"]
_BYTES: dict[Precision, int] = {"float32": 4, "float16": 2, "int8": 1}
_SCALE = "/scale"  # behind the name of a tensor in int8: what one step of its numbers is worth


@dataclass(frozen=True, slots=True)
class Packed:
    """A memory in bytes.

    Attributes:
        about: JSON of its sources, its origin and the dtypes that its narrowed tensors had.
        tensors: safetensors.
    """

    about: str
    tensors: bytes

    def __len__(self) -> int:
        return len(self.about) + len(self.tensors)


def pack(memory: Memory, precision: Precision) -> Packed:
    """The bytes of a memory; floating-point numbers of more bits than `precision` has are narrowed to it.

    In int8 each position's numbers (the last dimension) are whole multiples, -127 to 127, of their largest magnitude / 127.
    Raises MemoryStoreError for numbers that are not finite in this precision.
    """
    tensors: dict[str, Tensor] = {}
    dtypes: dict[str, str] = {}
    for name, given in memory.tensors().items():
        tensor = given.detach().cpu()
        if tensor.is_floating_point() and tensor.element_size() > _BYTES[precision]:
            dtypes[name] = str(tensor.dtype).removeprefix("torch.")
            tensors |= _narrow(name, tensor, precision)
        else:  # cloned, since a layer's states may be the memory's own and safetensors takes no tensor twice
            tensors[name] = tensor.clone().contiguous()
    about = {"sources": memory.sources, "origin": memory.origin, "dtypes": dtypes}
    return Packed(json.dumps(about), save(tensors))


def unpack(packed: Packed) -> Memory:
    """The memory that `pack` was given, in its dtypes. Raises SafetensorError, KeyError, TypeError or ValueError for no such bytes."""
    about = json.loads(packed.about)
    # cloned to lie in memory as fresh tensors do: from an odd address a product sums in another order
    tensors = {name: tensor.clone() for name, tensor in load(packed.tensors).items()}
    for name, dtype in about["dtypes"].items():
        scale = tensors.pop(name + _SCALE, None)
        numbers = tensors[name] if scale is None else tensors[name] * scale
        tensors[name] = numbers.to(getattr(torch, dtype))
    return Memory.of(tensors, sources=tuple(about["sources"]), origin=about["origin"])


def _narrow(name: str, tensor: Tensor, precision: Precision) -> dict[str, Tensor]:
    if precision == "int8":
        scale = tensor.float().abs().amax(-1, keepdim=True) / 127
        steps = (tensor.float() / scale.clamp(min=torch.finfo(torch.float32).tiny)).round()
        narrowed = {name: steps.to(torch.int8), name + _SCALE: scale}
    else:
        narrowed = {name: tensor.to(getattr(torch, precision))}
    if not all(torch.isfinite(one).all() for one in narrowed.values()):
        raise MemoryStoreError(
            f"a memory's {name} reach {tensor.abs().max():.3g}, which {precision} cannot hold: keep the memories of this "
            f"model in a store of precision = {'float32'!r}"
        )
    return narrowed
