"""The memory: an encoder's output as an object that is kept, joined, compared and decoded many times.

Shapes: B batch, S source positions, D width.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from endash.errors import MemoryMismatchError, nearest
from endash.files import save_tensors, whole_file

FORMAT = "endash-memory-1"
_AT_POSITIONS = frozenset({"states", "mask", "layers", "tokens", "segments"})  # fields of shape (B, S, …)

Pooling = Literal["mean", "first"]


@dataclass(frozen=True)
class Nearest:
    """For each row of a memory the rows of another that are most like it, most like first.

    Attributes:
        rows: (B, count) numbers of rows of the other memory.
        similarities: (B, count), the cosine of the two, -1 to 1.
    """

    rows: Tensor
    similarities: Tensor


@dataclass(frozen=True)
class Latent:
    """What a variational encoder makes of each source, each (B, Z): the posterior's mean and log-variance, and a sample of it."""

    mean: Tensor
    log_variance: Tensor
    sample: Tensor


@dataclass(frozen=True)
class Memory:
    """What an encoder made of B sources. It knows nothing of the decoder that will read it.

    Attributes:
        states: (B, S, D), the encoder's output at each position.
        mask: (B, S) boolean, True where a position is real.
        summary: (B, D), one vector a source, where the encoder makes one.
        layers: the states (B, S, D) of each encoder layer, where they were asked for.
        latent: the posterior of a variational encoder, and the sample that is decoded.
        tokens: (B, S) token ids, 0 at padding; for pictures and for links that copy.
        segments: (B, S), 0 for the source itself, k for the k-th joined memory; None where nothing was joined.
        sources: the text of each row; decoding puts its placeholders back from here.
        origin: fingerprint of the encoder's parameters, vocabulary and dtype.
    """

    states: Tensor
    mask: Tensor
    summary: Tensor | None = None
    layers: tuple[Tensor, ...] = ()
    latent: Latent | None = None
    tokens: Tensor | None = None
    segments: Tensor | None = None
    sources: tuple[str, ...] = ()
    origin: str = ""

    def __post_init__(self) -> None:
        if self.states.ndim != 3 or self.mask.shape != self.states.shape[:2] or self.mask.dtype != torch.bool:
            raise MemoryMismatchError(
                f"a memory needs states (B, S, D) and a boolean mask (B, S); "
                f"found states {tuple(self.states.shape)} and a {self.mask.dtype} mask {tuple(self.mask.shape)}"
            )
        if self.sources and len(self.sources) != len(self):
            raise MemoryMismatchError(f"a memory of {len(self)} rows was given {len(self.sources)} source texts")

    def __len__(self) -> int:
        return self.states.shape[0]

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor it holds, by the name of its field; those within a field by both names: ``layers.0``, ``latent.mean``."""
        found: dict[str, Tensor] = {}
        for name in (field.name for field in dataclasses.fields(self)):
            match getattr(self, name):
                case Tensor() as tensor:
                    found[name] = tensor
                case Latent() as latent:
                    found |= {f"{name}.{part}": tensor for part, tensor in vars(latent).items()}
                case tuple() as many:
                    found |= {f"{name}.{i}": tensor for i, tensor in enumerate(many) if isinstance(tensor, Tensor)}
        return found

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], *, sources: tuple[str, ...], origin: str) -> Self:
        """The memory that holds these `tensors`, named as in `tensors()`. Raises TypeError or ValueError for other names."""
        fields: dict[str, Any] = {name: tensor for name, tensor in tensors.items() if "." not in name}
        inner: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if "." in name:
                inner.setdefault(name.partition(".")[0], {})[name.partition(".")[2]] = tensor
        for name, parts in inner.items():
            fields[name] = (
                Latent(**parts) if name == "latent" else tuple(parts[part] for part in sorted(parts, key=int))
            )
        return cls(**fields, sources=sources, origin=origin)

    def select(self, rows: Tensor | list[int]) -> Memory:
        """The memory of these rows (a list or (N,) tensor of row numbers), in this order."""
        index = torch.as_tensor(rows, dtype=torch.long, device=self.states.device)
        sources = tuple(self.sources[row] for row in index.tolist()) if self.sources else ()
        return self._map(lambda tensor: tensor.index_select(0, index), sources=sources)

    def join(self, *others: Memory) -> Memory:
        """One memory whose rows hold this memory's positions and then those of `others`, row by row.

        A decoder reads all of them at once (fusion-in-decoder, Izacard & Grave 2021). The summary, the latent, the
        sources and the origin stay those of this memory. Raises MemoryMismatchError where the rows, widths or origins differ.
        """
        for other in others:
            if (len(other), other.states.shape[2]) != (len(self), self.states.shape[2]):
                raise MemoryMismatchError(
                    f"memories of {len(self)} rows × width {self.states.shape[2]} and {len(other)} rows × width "
                    f"{other.states.shape[2]} cannot be joined: rows and widths must be equal"
                )
            if other.origin != self.origin:
                raise MemoryMismatchError(
                    f"memories of two encoders cannot be joined (origins {self.origin!r} and {other.origin!r}): "
                    "encode both with the same model"
                )
        parts = (self, *others)
        named = [
            part.tensors() | {"segments": numbers} for part, numbers in zip(parts, _number_segments(parts), strict=True)
        ]
        joined = {name: torch.cat(found, dim=1) for name, found in _in_all(named).items() if _at_positions(name)}
        kept = {name: tensor for name, tensor in self.tensors().items() if not _at_positions(name)}
        return self.of({**joined, **kept}, sources=self.sources, origin=self.origin)

    @classmethod
    def stack(cls, memories: Sequence[Memory]) -> Memory:
        """One memory of all their rows, in this order, padded to the longest.

        What one of them lacks is left out; where one was joined, the others' positions are segment 0. Raises
        MemoryMismatchError where widths or origins differ, or there is no memory.
        """
        kinds = {(memory.states.shape[2], memory.origin) for memory in memories}
        if len(kinds) != 1:
            found = ", ".join(f"width {width} of {origin!r}" for width, origin in sorted(kinds)) or "none"
            raise MemoryMismatchError(
                f"rows of one encoder's memories can be put together, and these are {found}: encode all with one model"
            )
        named = [memory.tensors() for memory in memories]
        if any("segments" in one for one in named):
            named = [
                {"segments": torch.zeros_like(memory.mask, dtype=torch.long)} | one
                for memory, one in zip(memories, named, strict=True)
            ]
        length = max(memory.states.shape[1] for memory in memories)
        told = all(memory.sources or not len(memory) for memory in memories)
        return cls.of(
            {
                name: torch.cat([_pad(one, length) for one in found] if _at_positions(name) else found)
                for name, found in _in_all(named).items()
            },
            sources=tuple(source for memory in memories for source in memory.sources) if told else (),
            origin=memories[0].origin,
        )

    def trim(self) -> Memory:
        """The same without the positions at which no row has anything: a single row then has no padding."""
        real_S = self.mask.any(0)
        return self.of(
            {name: tensor[:, real_S] if _at_positions(name) else tensor for name, tensor in self.tensors().items()},
            sources=self.sources,
            origin=self.origin,
        )

    def pool(self, how: Pooling = "mean") -> Tensor:
        """(B, D): the mean of each row's real states, or the first of them; zeros for a row that has none."""
        if how not in get_args(Pooling):
            raise MemoryMismatchError(f"a memory cannot be pooled by {how!r}: {nearest(how, get_args(Pooling))}")
        taken_BS = self.mask if how == "mean" else self.mask & (self.mask.cumsum(1) == 1)
        weights_BS = taken_BS.to(self.states.dtype) / taken_BS.sum(1, keepdim=True).clamp(min=1)
        return torch.matmul(weights_BS[:, None], self.states)[:, 0]

    def nearest(self, other: Memory, *, count: int = 1, pool: Pooling = "mean") -> Nearest:
        """For each row the `count` rows of `other` whose pooled states have the highest cosine with its own.

        Raises MemoryMismatchError where the two come from different encoders, or `other` has fewer rows.
        """
        if other.origin != self.origin:
            raise MemoryMismatchError(
                f"memories of two encoders cannot be compared (origins {self.origin!r} and {other.origin!r}): "
                "encode both with the same model"
            )
        if not 1 <= count <= len(other):
            raise MemoryMismatchError(f"count = {count} of {len(other)} rows: ask for 1 to {len(other)} of them")
        one, two = (nn.functional.normalize(memory.pool(pool).float(), dim=1) for memory in (self, other))
        similarities, rows = torch.matmul(one, two.T).clamp(-1, 1).topk(count, dim=1)
        return Nearest(rows, similarities)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Memory:
        """The same memory on another device; `dtype` changes the floating-point parts only."""
        return self._map(
            lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None), sources=self.sources
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file; what stood there before stays until the new one is whole."""
        notes = {"format": FORMAT, "origin": self.origin, "sources": json.dumps(self.sources)}
        # cloned, since a layer's states may be the memory's own and safetensors takes no tensor twice
        separate = {name: t.cpu().clone().contiguous() for name, t in self.tensors().items()}
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as writing:
                save_tensors(separate, writing, notes=notes)
        except OSError as error:
            raise MemoryMismatchError(
                f"{path}: the memory cannot be written ({error}): free the disk or name another place"
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Memory:
        """Read what `save` wrote. Raises MemoryMismatchError for a file that is missing, broken or no memory."""
        if not Path(path).is_file():
            raise MemoryMismatchError(
                f"{path}: there is no such memory file; write one with memory.save(…) or `endash encode`"
            )
        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
                # cloned to lie in memory as fresh tensors do: from an odd address a product sums in another order
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  (no mapping)
        except (SafetensorError, OSError) as error:
            raise MemoryMismatchError(
                f"{path} is not a whole memory file ({error}): encode the sources again"
            ) from error
        if notes.get("format") != FORMAT:
            raise MemoryMismatchError(
                f"{path} is of format {notes.get('format')!r}, this version reads {FORMAT!r}: encode the sources again"
            )
        try:
            return cls.of(tensors, origin=notes["origin"], sources=tuple(json.loads(notes["sources"])))
        except (KeyError, TypeError, ValueError) as error:
            raise MemoryMismatchError(
                f"{path} is not a whole memory file ({error}): encode the sources again"
            ) from error

    def _map(self, change: Callable[[Tensor], Tensor], *, sources: tuple[str, ...]) -> Memory:
        """The same memory with every tensor changed, and these sources."""
        changed = {name: change(tensor) for name, tensor in self.tensors().items()}
        return self.of(changed, sources=sources, origin=self.origin)


def _number_segments(parts: tuple[Memory, ...]) -> list[Tensor]:
    """Segment numbers that go on counting from one part to the next."""
    numbered: list[Tensor] = []
    offset = 0
    for part in parts:
        own = part.segments if part.segments is not None else torch.zeros_like(part.mask, dtype=torch.long)
        numbered.append(own + offset)
        offset += int(own.max()) + 1 if own.numel() else 1
    return numbered


def _at_positions(name: str) -> bool:
    """Whether the tensor of this name has the shape (B, S, …); any other is (B, …)."""
    return name.partition(".")[0] in _AT_POSITIONS


def _in_all(named: Sequence[Mapping[str, Tensor]]) -> dict[str, list[Tensor]]:
    """The tensors of each name that all of them have."""
    return {name: [one[name] for one in named] for name in named[0] if all(name in one for one in named)}


def _pad(tensor: Tensor, length: int) -> Tensor:
    """(B, S, …) with zeros up to (B, length, …)."""
    B, S, *rest = tensor.shape
    return torch.cat([tensor, tensor.new_zeros(B, length - S, *rest)], dim=1)
