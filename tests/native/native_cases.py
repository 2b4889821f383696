"""Tiny random networks, and what either path finds with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from endash import lowering
from endash.config import Config
from endash.decoders.ssru import SSRUDecoderConfig
from endash.decoders.transformer import TransformerDecoderConfig
from endash.decoding.config import DecodingConfig, Precision
from endash.decoding.hypothesis import Found
from endash.decoding.noise import noise
from endash.encoders.transformer import TransformerEncoderConfig
from endash.heads import HeadConfig
from endash.links.cross_attention import CrossAttentionConfig
from endash.native import Core, Ticket
from endash.network import Network
from endash.parts.contracts import PartConfig
from endash.stepper import find
from endash.text import EOS
from endash.text.tokenizer import FIRST_SLOT

VOCABULARY = 83  # no multiple of a panel
NEVER = (0, 1, 2, 4)
ROOM = 10  # tokens that may be written beyond twice the source's
SIDE: dict[str, Any] = {"width": 32, "layers": 2, "heads": 4, "feed_forward": 50, "dropout": 0.0}


@dataclass(frozen=True)
class Case:
    """A network and the settings it was made of."""

    network: Network
    encoder: PartConfig
    link: Config
    decoder: PartConfig

    def core(self, *, precision: Precision = "float32", slots: int = 0, **how: Any) -> Core:
        """The native core with its parameters, one thread of 8 rows where nothing else is said."""
        settings = lowering.settings(
            self.network,
            self.encoder,
            self.link,
            self.decoder,
            passages=0,
            never=NEVER,
            slots=range(FIRST_SLOT, FIRST_SLOT + slots),
        )
        return Core(
            {**settings, "precision": precision}, lowering.parameters(self.network), **{"threads": 1, "rows": 8, **how}
        )

    def by_torch(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, *, slots: int = 0
    ) -> list[list[Found]]:
        """What PyTorch finds."""
        text: Any = SimpleNamespace(
            target=SimpleNamespace(slots=slots, never_written=NEVER),
            required_slots=lambda tokens: Counter(
                {FIRST_SLOT + n: count for n, count in enumerate(wanted(tokens, slots))}
            ),
        )
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(one) for one in sources], batch_first=True)
        with torch.no_grad():
            return find(self.network, self.network.encode(ids), config, sources=sources, text=text)


def encoder(**settings: Any) -> TransformerEncoderConfig:
    return TransformerEncoderConfig(**{**SIDE, **settings})


def transformer(**settings: Any) -> TransformerDecoderConfig:
    return TransformerDecoderConfig(**{**SIDE, **settings})


def ssru(**settings: Any) -> SSRUDecoderConfig:
    return SSRUDecoderConfig(**{name: value for name, value in {**SIDE, **settings}.items() if name != "heads"})


def made(
    encoder: PartConfig, link: Config, decoder: PartConfig, *, seed: int = 0, tie: str = "all", head: float = 1.0
) -> Case:
    """A random network whose norms and biases are no longer 1 and 0; its head's weights are multiplied by `head`."""
    torch.manual_seed(seed)
    heads = HeadConfig(tie=tie if encoder.width == decoder.width else "target")
    network = Network(encoder, link, decoder, head=heads, source_size=VOCABULARY, target_size=VOCABULARY).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
            else:
                parameter.mul_(1.5)  # so that the source changes what is written
        network.head.weight.mul_(head)
    return Case(network, encoder, link, decoder)


def usual(**how: Any) -> Case:
    return made(encoder(), CrossAttentionConfig(heads=4), transformer(), **how)


def sources(*lengths: int, seed: int = 0) -> list[list[int]]:
    """Random sources of so many tokens, eos behind them."""
    torch.manual_seed(seed)
    return [[*torch.randint(7, VOCABULARY, (length,)).tolist(), EOS] for length in lengths]


def wanted(source: Sequence[int], slots: int) -> list[int]:
    """How often each slot stands in a source."""
    return [list(source).count(FIRST_SLOT + number) for number in range(slots)]


def submit(
    core: Core, source: Sequence[int], config: DecodingConfig, *, row: int = 0, slots: int = 0, **how: Any
) -> Ticket:
    limit = config.max_length(len(source))
    drawn = noise(config, row, limit) if config.search == "sample" else None
    return core.submit(source, config, limit=limit, slots=wanted(source, slots), noise=drawn, **how)


def by_core(
    core: Core, sources: Sequence[Sequence[int]], config: DecodingConfig, *, slots: int = 0
) -> list[list[Found]]:
    """What the core finds, all sources under way at once."""
    tickets = [submit(core, source, config, row=row, slots=slots) for row, source in enumerate(sources)]
    return [ticket.result(60) for ticket in tickets]


def assert_same(found: list[list[Found]], expected: list[list[Found]], *, within: float) -> None:
    """The same tokens, and scores (nats) within so much."""
    assert [[one.tokens for one in row] for row in found] == [[one.tokens for one in row] for row in expected]
    for row, other in zip(found, expected, strict=True):
        for one, two in zip(row, other, strict=True):
            assert one.finished == two.finished
            assert abs(one.score - two.score) < within
            assert abs(one.normalised - two.normalised) < within
