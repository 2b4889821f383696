"""The path that a model's search takes: the native core where it can, PyTorch for all else; and why.

Shapes: B rows, S source positions.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from endash import lowering, native
from endash.decoding.config import DecodingConfig, Precision
from endash.decoding.hypothesis import Found
from endash.memory import Memory
from endash.native import Core
from endash.network import Network
from endash.recipe import Recipe, learned_positions
from endash.served import Served
from endash.stepper import find
from endash.text import Codec
from endash.text.tokenizer import FIRST_SLOT

if TYPE_CHECKING:
    from endash.shortlist import Shortlist

_WHOLE = 1 << 14  # numbers of a parameter, all of which are looked at to see whether it has changed
_LOOK = 64  # of a larger one, those in its middle


class Path:
    """How what a network makes of a source is searched for. It follows the network: changed parameters are packed anew."""

    def __init__(self, recipe: Recipe, codec: Codec, network: Network, shortlist: Shortlist | None) -> None:
        self.recipe, self.codec, self.network, self.shortlist = recipe, codec, network, shortlist
        self._passages, self._reads_text = recipe.joins, recipe.does.reads == "text"
        self._cores: dict[Precision, tuple[int, Core]] = {}
        self._lock = threading.Lock()
        self._parameters = list(network.parameters())
        self._looks: list[tuple[int, Any]] = []  # where each parameter is, and what is looked at, as numpy sees it

    def why_not(self, config: DecodingConfig) -> str | None:
        """Why the core does not do such a search; None where it does."""
        if lacking := config.beyond_core:
            return f"it has no {lacking}"
        reason = self._why_not_lowered()
        if reason is None and self.network.target_embedding.weight.device.type != "cpu":
            return f"the model is on {self.network.target_embedding.weight.device}"
        return reason or native.why_absent()

    def describe(self, config: DecodingConfig) -> str:
        """One line: the path, and where it is PyTorch's why, and what is set but goes without effect there."""
        if (reason := self.why_not(config)) is None:
            return self.core(config).describe(config)
        brief = config.precision == "bfloat16"
        names = ("shortlist", "prune") if brief else ("precision", "shortlist", "prune")
        idle = [f"{name} = {value!r}" for name in names if (value := _idle(config, name))]
        without = f"; without {', '.join(idle)}" if idle else ""
        return f"PyTorch{' with products in bfloat16' if brief else ''}, for the native core: {reason}{without}"

    def products(self, config: DecodingConfig) -> torch.autocast:
        """A context in which PyTorch multiplies in bfloat16, where that is asked for."""
        device = self.network.target_embedding.weight.device.type
        return torch.autocast(device, torch.bfloat16, enabled=config.precision == "bfloat16")

    @property
    def serves(self) -> bool:
        """Whether a saved model needs no PyTorch: the core, where it is built, decodes this combination from its sources on, and
        numpy can read its parameters."""
        read = all(parameter.dtype in (torch.float32, torch.float16) for parameter in self._parameters)
        lowered = self._why_not_lowered() is None
        return lowered and read and self._reads_tokens

    def _why_not_lowered(self) -> str | None:
        recipe = self.recipe
        return lowering.why_not(recipe.encoder, recipe.link, recipe.decoder, recipe.head, passages=self._passages)

    def reads_sources(self, config: DecodingConfig) -> bool:
        """Whether `find` takes sources, and no memory need be made of them."""
        return self.why_not(config) is None and self._reads_tokens

    @property
    def _reads_tokens(self) -> bool:
        return self._reads_text and lowering.reads_sources(self.recipe.encoder, passages=self._passages)

    def core(self, config: DecodingConfig) -> Core:
        """The core that decodes with the parameters as they are now; errors as of `Served.core`."""
        with self._lock:
            seen = self._seen()
            known = self._cores.get(config.precision)
            if known is None or known[0] != seen or (config.shortlist and not known[1].has_shortlist):
                # an old one ends when its last caller has what it asked for
                self._cores[config.precision] = known = seen, self.served.core(config, threads=torch.get_num_threads())
            return known[1]

    def find(
        self,
        sources: Sequence[Sequence[int]],
        memory: Memory,
        config: DecodingConfig,
        *,
        rows: Sequence[int] | None = None,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Found]]:
        """What search finds for each row of a memory, made of these `sources`; `rows` are their places in the input, which samples
        depend on; `prefixes` the tokens that each target begins with."""
        rows = range(len(sources)) if rows is None else rows
        if self.why_not(config) is None:
            states = self._states(memory)
            core = self.core(config)
            return list(self.served.find_each(core, sources, config, rows=rows, prefixes=prefixes, states=states))
        end = learned_positions(self.recipe.decoder)
        with self.products(config):
            return find(
                self.network,
                memory,
                config,
                sources=sources,
                text=self.codec,
                rows=rows,
                prefixes=prefixes,
                end=end,
            )

    def _states(self, memory: Memory) -> list[list[native.Floats]]:
        """Of each row the real positions of what the link reads: the states (S, D), or those of each layer."""
        views = memory.layers if self.network.keeps_layers else (memory.states,)
        return [
            [view[row][memory.mask[row]].float().contiguous().numpy() for view in views] for row in range(len(memory))
        ]

    @property
    def served(self) -> Served:
        """What the core needs of the model, where it decodes it."""
        target = self.codec.target
        settings = lowering.settings(
            self.network,
            self.recipe.encoder,
            self.recipe.link,
            self.recipe.decoder,
            passages=self._passages,
            never=target.never_written,
            slots=range(FIRST_SLOT, FIRST_SLOT + target.slots),
        )
        end = learned_positions(self.recipe.decoder)
        parameters = partial(lowering.parameters, self.network)
        by_sentence = self.recipe.does.by_sentence
        return Served(self.codec, self.recipe.decoding, self.shortlist, settings, end, by_sentence, parameters)

    def _seen(self) -> int:
        """Another number when the parameters have changed: torch's own counters know nothing of a fused optimiser and of .data."""
        places = [parameter.data_ptr() for parameter in self._parameters]
        if places != [place for place, _ in self._looks]:
            self._looks = [(place, _middle(one)) for place, one in zip(places, self._parameters, strict=True)]
        seen = hash(tuple(places))
        for _, middle in self._looks:
            seen = zlib.crc32(middle, seen & 0xFFFFFFFF)
        return seen


def _middle(parameter: torch.Tensor) -> Any:
    numbers = parameter.detach().flatten()
    if len(numbers) > _WHOLE:
        numbers = numbers[len(numbers) // 2 :][:_LOOK]
    return numbers.view(torch.uint8).numpy().data


def _idle(config: DecodingConfig, name: str) -> Any:
    """A setting that only the core knows, where it is not what it is by default."""
    value = getattr(config, name)
    return value if value != DecodingConfig.model_fields[name].default else None
