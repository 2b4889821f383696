"""The contracts: what an encoder gives, what a link offers, what a decoder uses.

Shapes: B batch, S source positions, T target positions, Q queries (T in training, K in search), K beams, D width, H heads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

from torch import Tensor, nn

from endash.config import Config
from endash.memory import Memory
from endash.parts.copyable import Copyable

Gift = Literal["states", "summary", "layers", "latent"]
Port = Literal["start", "prefix", "read"]
Source = Literal["vectors", "tokens", "pixels", "samples"]
Writes = Literal["in order", "at once"]


class PartConfig(Config):
    """Settings of an encoder or a decoder; each kind adds its own."""

    kind: str
    width: int

    @property
    def innermost(self) -> PartConfig:
        """Settings of the part that is given the source: these, unless they wrap another part."""
        return self

    @property
    def input_width(self) -> int:
        """Width of the vectors that it is given."""
        return self.innermost.width

    @property
    def reads(self) -> Source:
        """What an encoder is given: vectors, or a source of which it makes them itself."""
        return "vectors" if self.innermost is self else self.innermost.reads

    @classmethod
    def usual(cls) -> Self:
        """Settings to show this kind with: its defaults, unless it needs to be told something."""
        return cls.model_validate({})

    @property
    def depth(self) -> int:
        """How many states the `layers` of an encoder's memory hold."""
        return int(getattr(self, "layers", 0))


@dataclass(frozen=True)
class Padded:
    """A batch of sources: `values` with B rows, padded to one shape, and `mask`, True where real.

    Of tokens and samples both are (B, N), of vectors (B, S, D) and (B, S), of pixels (B, C, H, W) and (B, H, W).
    """

    values: Tensor
    mask: Tensor


class FrontendConfig(Config, ABC):
    """Settings of a frontend; each kind adds its own. `reads` is what it makes vectors of."""

    reads: ClassVar[Literal["samples", "pixels", "features"]]
    kind: str

    @abstractmethod
    def positions(self, shape: tuple[int, ...]) -> int:
        """How many positions become of a source that is an array of this shape; see `endash.signals.pad_signals`."""


class Frontend(nn.Module, ABC):
    """A source that is no tokens in, vectors for an encoder out; built with the ``width`` that the encoder reads."""

    Config: ClassVar[type[FrontendConfig]]

    @abstractmethod
    def forward(self, source: Padded) -> Padded:
        """Vectors (B, S, D) and their mask (B, S), each row's real positions first. Padding changes none of them."""


class Encoder(nn.Module, ABC):
    """Vectors in, a memory out; or tokens, pixels or samples in, for one whose settings say that it reads those."""

    Config: ClassVar[type[PartConfig]]
    gives: ClassVar[frozenset[Gift]]
    trained_elsewhere: ClassVar[bool] = False  # if `begin` puts in all its parameters, which may learn more slowly

    def begin(self) -> None:
        """Put in the parameters of an earlier training: called once for a new model, never for a saved one."""

    @abstractmethod
    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        """The memory of embedded sources (B, S, D), `mask_BS` True where real; its width is ``config.width``.

        An encoder that reads a source itself is given that and its mask, as in `Padded`; its memory has a mask of its own.
        """


@dataclass(frozen=True)
class MemoryShape:
    """What a link has to know of the memories that it will open.

    Attributes:
        width: of their states.
        depth: how many states their `layers` hold.
        segments: how many parts they are joined of: the source, and each passage.
    """

    width: int
    depth: int = 1
    segments: int = 1


@dataclass(frozen=True)
class DecoderShape:
    """What a link has to know of the decoder it serves.

    Attributes:
        width: of queries and of what `read` returns.
        reads: how many times each position reads; read i has its own parameters.
        start: numbers in an initial state, 0 where the decoder has none.
    """

    width: int
    reads: int
    start: int


def select_tensors(value: Any, rows: Tensor) -> Any:
    """`value` with every tensor in it, also in tuples and link states, cut to these rows of its first dimension."""
    if isinstance(value, Tensor):
        return value.index_select(0, rows)
    if isinstance(value, LinkState):
        return value.select(rows)
    if isinstance(value, tuple):
        return tuple(select_tensors(item, rows) for item in value)
    return value


@dataclass(frozen=True)
class LinkState:
    """What a link computed of a memory once, before any query came: it stays at batch B however many beams read it.

    Attributes:
        mask: (B, S), the memory's.
        start: (B, N), the initial state of a decoder, from links that offer `start`.
        prefix: (B, P, D), embeddings put before the target, from links that offer `prefix`.
    """

    mask: Tensor
    start: Tensor | None = None
    prefix: Tensor | None = None

    def select(self, rows: Tensor) -> Self:
        """The link state of these rows; a subclass's own tensors go along."""
        return replace(self, **{field.name: select_tensors(getattr(self, field.name), rows) for field in fields(self)})


@dataclass(frozen=True)
class Reading:
    """What queries got from a memory: `context` (B, Q, D of the decoder) and the `weights` (B, H, Q, S).

    Weights are None where a link reads no positions, such as a latent vector.
    """

    context: Tensor
    weights: Tensor | None


class Link(nn.Module, ABC):
    """The connection between a memory and a decoder, through up to three ports: `start`, `prefix` and `read`.

    A link is built for the ports that its decoder uses, so that no parameter is left without work.
    """

    Config: ClassVar[type[Config]]
    needs: ClassVar[frozenset[Gift]]
    offers: ClassVar[frozenset[Port]]

    def __init__(self, config: Any, *, memory: MemoryShape, shape: DecoderShape, ports: frozenset[Port]) -> None:
        super().__init__()
        self.config, self.memory, self.shape, self.ports = config, memory, shape, ports

    @classmethod
    def needs_of(cls, config: Any) -> frozenset[Gift]:
        """What a link with these settings needs of the encoder: `needs`, unless it wraps another."""
        return cls.needs

    @classmethod
    def why_not(cls, config: Any, encoder: PartConfig, decoder: PartConfig, *, reads: int) -> str | None:
        """Why this link cannot stand between these two, beyond its ports: a sentence with what to do; None where it can.

        `reads` is how many times each position of the decoder reads.
        """
        return None

    @abstractmethod
    def open(self, memory: Memory) -> LinkState:
        """All of the link's work that does not depend on a query, such as projected keys and values."""

    def read(self, query_BQD: Tensor, state: Any, layer: int) -> Reading:
        """What each query gets from the memory at the decoder's read number `layer`; all zeros from an empty source."""
        raise TypeError(f"{type(self).__name__} offers no read port")


class OpenLink:
    """A link with the state it opened for a memory: the only thing that decoder and head are handed of the source.

    Args:
        copyable: what the head keeps to copy from, where it does.
        watch: keep the weights of each read in `seen`, by read number, for pictures and alignments.
    """

    def __init__(self, link: Link, state: LinkState, *, copyable: Copyable | None = None, watch: bool = False) -> None:
        self.link, self.state, self.copyable = link, state, copyable
        self.seen: dict[int, Tensor] | None = {} if watch else None

    def read(self, query_BQD: Tensor, layer: int) -> Tensor:
        """(B, Q, D): what the queries get at this read."""
        reading: Reading = self.link.read(query_BQD, self.state, layer)
        if self.seen is not None and reading.weights is not None:
            self.seen[layer] = reading.weights
        return reading.context

    @property
    def reads(self) -> bool:
        """Whether the memory can be read at each step, beyond what the decoder started from."""
        return "read" in self.link.ports

    @property
    def rows(self) -> int:
        """B."""
        return self.state.mask.shape[0]

    def select(self, rows: Tensor) -> OpenLink:
        """The open link of these rows."""
        copyable = self.copyable.select(rows) if self.copyable is not None else None
        return OpenLink(self.link, self.state.select(rows), copyable=copyable)


class DecoderState(ABC):
    """A decoder's memory of what it wrote so far: a value, passed in and returned, of B rows × K beams."""

    @abstractmethod
    def select(self, rows: Tensor) -> Self:
        """The state of these rows (N,)."""

    @abstractmethod
    def reorder(self, parents_BK: Tensor) -> Self:
        """New beam k of row b goes on from old beam ``parents[b, k]``; K may change."""


class Decoder(nn.Module, ABC):
    """What writes the target through an open link. It never sees a source token.

    Which of the two ways of writing is a decoder's is told by `writes`, and a class below has the calls of each.
    """

    Config: ClassVar[type[PartConfig]]
    needs: ClassVar[frozenset[Gift]] = frozenset()
    uses: ClassVar[frozenset[Port]]
    writes: ClassVar[Writes]

    @classmethod
    @abstractmethod
    def shape(cls, config: Any) -> DecoderShape:
        """What a link must know of a decoder with these settings."""


class InOrderDecoder(Decoder):
    """A decoder of one token after the other: two ways through one set of parameters, all positions at once, or one at a time."""

    writes = "in order"

    @abstractmethod
    def forward(self, inputs_BTD: Tensor, link: OpenLink) -> Tensor:
        """Hidden states (B, T, D) after embedded tokens (B, T, D): position t sees inputs 0 … t."""

    @abstractmethod
    def start(self, link: OpenLink) -> Any:
        """The state before the first token, with one beam a row."""

    @abstractmethod
    def step(self, inputs_BKD: Tensor, link: OpenLink, state: Any) -> tuple[Tensor, Any]:
        """Hidden states (B, K, D) after one more token in each beam, and the state that follows."""


class AtOnceDecoder(Decoder):
    """A decoder of all positions at once, some of which may be known: it is called again with more of them known, or others.

    How many positions there are is told beforehand, from the memory's summary (`LengthHead`).
    """

    needs = frozenset({"summary"})
    writes = "at once"

    @abstractmethod
    def forward(self, inputs_BTD: Tensor, mask_BT: Tensor, link: OpenLink) -> Tensor:
        """Hidden states (B, T, D) of embedded tokens (B, T, D), of which `mask_BT` says what is real: each position sees all of them.

        Where a token is not known, the embedding of `UNKNOWN` stands in its place.
        """
