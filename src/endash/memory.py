"""The memory: an encoder's output as an object that is kept, joined, compared and decoded many times.

Shapes: B batch, S source positions, D width.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from endash.errors import MemoryMismatchError
from endash.files import save_tensors, whole_file

FORMAT = "endash-memory-1"


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
        tokens = [part.tokens for part in parts]
        depth = min(len(part.layers) for part in parts)
        return dataclasses.replace(
            self,
            states=torch.cat([part.states for part in parts], dim=1),
            mask=torch.cat([part.mask for part in parts], dim=1),
            layers=tuple(torch.cat([part.layers[i] for part in parts], dim=1) for i in range(depth)),
            tokens=None if None in tokens else torch.cat([t for t in tokens if t is not None], dim=1),
            segments=torch.cat(_number_segments(parts), dim=1),
        )

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Memory:
        """The same memory on another device; `dtype` changes the floating-point parts only."""
        return self._map(
            lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None), sources=self.sources
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file; what stood there before stays until the new one is whole."""
        tensors = {"states": self.states, "mask": self.mask}
        tensors |= {name: t for name in ("summary", "tokens", "segments") if (t := getattr(self, name)) is not None}
        tensors |= {f"layers.{i}": states for i, states in enumerate(self.layers)}
        tensors |= {f"latent.{name}": t for name, t in vars(self.latent).items()} if self.latent is not None else {}
        notes = {"format": FORMAT, "origin": self.origin, "sources": json.dumps(self.sources)}
        # cloned, since a layer's states may be the memory's own and safetensors takes no tensor twice
        separate = {name: t.cpu().clone().contiguous() for name, t in tensors.items()}
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
        depth = sum(name.startswith("layers.") for name in tensors)
        try:
            layers = tuple(tensors.pop(f"layers.{i}") for i in range(depth))
            posterior = {name: tensors.pop(f"latent.{name}") for name in _LATENT if f"latent.{name}" in tensors}
            latent = Latent(**posterior) if posterior else None
            return cls(
                **tensors,
                layers=layers,
                latent=latent,
                origin=notes["origin"],
                sources=tuple(json.loads(notes["sources"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise MemoryMismatchError(
                f"{path} is not a whole memory file ({error}): encode the sources again"
            ) from error

    def _map(self, change: Callable[[Tensor], Tensor], *, sources: tuple[str, ...]) -> Memory:
        """The same memory with every tensor changed, and these sources."""

        def maybe(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else change(tensor)

        return dataclasses.replace(
            self,
            states=change(self.states),
            mask=change(self.mask),
            summary=maybe(self.summary),
            layers=tuple(change(states) for states in self.layers),
            latent=Latent(*map(change, vars(self.latent).values())) if self.latent is not None else None,
            tokens=maybe(self.tokens),
            segments=maybe(self.segments),
            sources=sources,
        )


_LATENT = [field.name for field in dataclasses.fields(Latent)]


def stack(memories: Sequence[Memory]) -> Memory:
    """The rows of one or more memories of one encoder, in their order, padded at the end to the longest."""
    longest = max(memory.states.shape[1] for memory in memories)
    padded = [_padded(memory, longest) for memory in memories]
    columns = zip(*map(_tensors, padded), strict=True)
    sources = tuple(source for memory in memories for source in memory.sources)
    return padded[0]._map(lambda _: torch.cat(next(columns)), sources=sources)


def _padded(memory: Memory, length: int) -> Memory:
    missing = length - memory.states.shape[1]

    def pad(tensor: Tensor) -> Tensor:
        return torch.cat([tensor, tensor.new_zeros(len(tensor), missing, *tensor.shape[2:])], dim=1)

    return dataclasses.replace(
        memory,
        states=pad(memory.states),
        mask=pad(memory.mask),
        layers=tuple(map(pad, memory.layers)),
        tokens=None if memory.tokens is None else pad(memory.tokens),
        segments=None if memory.segments is None else pad(memory.segments),
    )


def _tensors(memory: Memory) -> list[Tensor]:
    """All of a memory's tensors, in the order in which `Memory._map` goes through them."""
    found: list[Tensor] = []

    def take(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    memory._map(take, sources=memory.sources)
    return found


def _number_segments(parts: tuple[Memory, ...]) -> list[Tensor]:
    """Segment numbers that go on counting from one part to the next."""
    numbered: list[Tensor] = []
    offset = 0
    for part in parts:
        own = part.segments if part.segments is not None else torch.zeros_like(part.mask, dtype=torch.long)
        numbered.append(own + offset)
        offset += int(own.max()) + 1 if own.numel() else 1
    return numbered
