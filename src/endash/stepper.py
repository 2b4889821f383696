"""A network with a memory in place, as search sees it, and what search finds.

Shapes: B rows, K beams, T target positions, N lengths, V vocabulary.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from endash.decoding.config import DecodingConfig, check_prefix
from endash.decoding.ctc import CtcPrefix
from endash.decoding.hypothesis import Found
from endash.decoding.mask_predict import mask_predict
from endash.decoding.processors import BanTokens, NoRepeat, Prefix, Processor, SlotConstraint
from endash.decoding.search import search
from endash.errors import ModelError
from endash.memory import Memory
from endash.network import Network, Written
from endash.parts.contracts import OpenLink
from endash.text import BOS, EOS, UNK, Codec
from endash.text.tokenizer import FIRST_SLOT


@dataclass(frozen=True)
class SearchState:
    """What search carries: what the network does of the target so far, and the open link it reads through."""

    link: OpenLink
    written: Written

    def select(self, rows: Tensor) -> SearchState:
        """The state of these rows."""
        return SearchState(self.link.select(rows), self.written.select(rows))

    def reorder(self, parents_BK: Tensor) -> SearchState:
        """Beams that go on from their parents; the link stays as it is."""
        return replace(self, written=self.written.reorder(parents_BK))


class NetworkStepper:
    """The `Stepper` of a network and the memory it decodes."""

    def __init__(self, network: Network, memory: Memory) -> None:
        self.network, self.memory = network, memory
        self.rows, self.vocabulary, self.device = len(memory), len(network.head.bias), memory.states.device

    def start(self) -> SearchState:
        """The state before the first token."""
        link = self.network.open(self.memory)
        return SearchState(link, self.network.start(link))

    def step(self, tokens_BK: Tensor, state: SearchState) -> tuple[Tensor, SearchState]:
        """Scores (B, K, V) of what follows these tokens, and the state after them."""
        scores, after = self.network.step(tokens_BK, state.link, state.written)
        return scores, SearchState(state.link, after)


class NetworkFiller:
    """The `Filler` of a network that writes at once and the memory it decodes."""

    def __init__(self, network: Network, memory: Memory) -> None:
        self.network, self.memory, self.link = network, memory, network.open(memory)
        self.rows, self.device = len(memory), memory.states.device

    def lengths(self, lengths_N: Tensor) -> Tensor:
        """Log-probabilities (B, N) of these lengths."""
        return self.network.length_scores(self.memory, lengths_N.expand(self.rows, -1))

    def fill(self, tokens_BT: Tensor) -> Tensor:
        """Scores (B, T, V) of what stands at each position."""
        return self.network.fill(tokens_BT, self.link).float()


def find(
    network: Network,
    memory: Memory,
    config: DecodingConfig,
    *,
    sources: Sequence[Sequence[int]],
    text: Codec,
    rows: Sequence[int] | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    end: int | None = None,
) -> list[list[Found]]:
    """What search finds for each row of a memory; `sources` are the rows' own tokens, `rows` as for `search`, `end` is
    where the decoder's positions end, if they do. Each target begins with the tokens of its prefix.

    No special token is written that the vocabulary rules out, and the slots of each source are, as often as they stand in it.
    """
    lengths = [min(config.max_length(len(tokens)), end or sys.maxsize) for tokens in sources]
    limits_B = torch.tensor(lengths, dtype=torch.long, device=memory.states.device)
    slots = _slots(sources, text, memory.states.device)
    if config.search == "mask-predict":
        if prefixes is not None:
            raise ModelError("search = 'mask-predict' writes all at once, and begins with no prefix: leave it out")
        return mask_predict(
            NetworkFiller(network, memory),
            config,
            unknown=UNK,
            eos=EOS,
            banned=(UNK, *text.target.never_written),
            max_lengths_B=limits_B,
            slots=slots,
        )
    stepper = NetworkStepper(network, memory)
    processors: list[Processor] = [BanTokens(text.target.never_written, stepper.device)]
    if config.ctc is not None:
        processors.append(_ctc(network, memory, config.ctc))
    if config.no_repeat is not None:
        spared = range(FIRST_SLOT, FIRST_SLOT + text.target.slots)
        processors.append(NoRepeat.of(stepper.rows, length=config.no_repeat, spared=spared, device=stepper.device))
    if slots is not None:
        processors.append(slots)
    if prefixes is not None:
        for row, (prefix, limit) in enumerate(zip(prefixes, lengths, strict=True)):
            check_prefix(row, prefix, limit)
        padded = [torch.tensor([*prefix], dtype=torch.long) for prefix in prefixes]
        tokens_BT = torch.nn.utils.rnn.pad_sequence(padded, batch_first=True, padding_value=-1)
        processors = [Prefix(tuple(processors), tokens_BT.to(stepper.device))]
    return search(stepper, config, bos=BOS, eos=EOS, max_lengths_B=limits_B, processors=processors, rows=rows)


def _ctc(network: Network, memory: Memory, share: float) -> CtcPrefix:
    """What the CTC head makes of each beam. Raises ModelError for a network without one."""
    if network.ctc is None:
        raise ModelError(
            f"decoding.ctc = {share:g}, and this model has no CTC head to ask: leave it out, or train one with head.ctc = 0.3"
        )
    return CtcPrefix.of(network.ctc(memory), memory.mask, share=share, eos=EOS)


def _slots(sources: Sequence[Sequence[int]], text: Codec, device: torch.device) -> SlotConstraint | None:
    """The slots of each source, as often as they stand in it; None for a vocabulary without slots."""
    if not text.target.slots:
        return None
    required = [list(text.required_slots(tokens).elements()) for tokens in sources]
    return SlotConstraint.of(required, first=FIRST_SLOT, count=text.target.slots, eos=EOS, device=device)
