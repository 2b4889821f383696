"""Parts that run together also learn together: each combination learns to reverse strings that it has not seen.

All of a sample is learned that has every encoder with every link, every link with every decoder and every encoder with every
decoder, as far as they are legal. A dozen are learned in each test run, the rest in the slow one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations, product

import pytest
import torch
from test_conformance import TINY_BERT, Combination, combined, over, small

from endash.combination import why_not
from endash.decoders import decoders
from endash.decoding.config import DecodingConfig
from endash.decoding.mask_predict import mask_predict
from endash.decoding.processors import BanTokens
from endash.decoding.search import search
from endash.encoders import encoders
from endash.links import links
from endash.network import BOS, UNKNOWN, Batch, Network
from endash.registry import kind_of
from endash.stepper import NetworkFiller, NetworkStepper

BERT = TINY_BERT | {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 96}
SETTINGS = {
    "width": 48,
    "layers": 1,
    "dropout": 0.0,
    "feed_forward": 96,
    "heads": 4,
    "architecture": json.dumps(BERT),
    "frozen": False,
    "free_bits": 4.0,  # as much of a string as its latent vector can hold costs nothing
    "word_dropout": 0.0,
}
EOS, FIRST, LETTERS, LONGEST = 3, 5, 12, 5
BANNED = [0, UNKNOWN, BOS, 4]
ROWS, STEPS, EVERY, RATE = 64, 4000, 100, 4e-3
WANTED = 0.98  # of the positions of unseen strings


def legal() -> list[Combination]:
    found = [
        combined(*(small(parts.config(kind), **SETTINGS) for parts, kind in zip(ROLES, kinds, strict=True)))
        for kinds in product(*ROLES)
    ]
    return [one for one in found if why_not(one.encoder, one.link, one.decoder) is None]


def pairs(one: Combination) -> set[tuple[str, ...]]:
    kinds = [f"{role} {kind_of(part)}" for role, part in zip("eld", (one.encoder, one.link, one.decoder), strict=True)]
    return set(combinations(kinds, 2))


def covering() -> Iterator[Combination]:
    """Combinations in which each legal pair of kinds stands at least once, those with most new pairs first."""
    left = legal()
    covered: set[tuple[str, ...]] = set()
    while new := max((len(pairs(one) - covered) for one in left), default=0):
        yield (chosen := next(one for one in left if len(pairs(one) - covered) == new))
        covered |= pairs(chosen)
        left.remove(chosen)


ROLES = (encoders, links, decoders)
SAMPLE = list(covering())


def strings(random: torch.Generator) -> Batch:
    """Strings of 2 to 5 letters, and the same backward; both end in eos."""
    lengths = torch.randint(2, LONGEST + 1, (ROWS, 1), generator=random)
    letters = torch.randint(FIRST, FIRST + LETTERS, (ROWS, LONGEST + 1), generator=random)
    place = torch.arange(LONGEST + 1)
    backward = letters.gather(1, (lengths - 1 - place).clamp(min=0))
    source, target = (
        torch.where(place < lengths, side, torch.where(place == lengths, EOS, 0)) for side in (letters, backward)
    )
    return Batch(source, target)


@torch.no_grad()
def share_right(network: Network, random: torch.Generator) -> float:
    """The share of positions that the quickest search writes as they should be, eos among them."""
    network.eval()
    batch = strings(random)
    memory, limits = network.encode(batch.source), torch.full((ROWS,), LONGEST + 3)
    if network.decoder.writes == "at once":
        config = DecodingConfig(search="mask-predict", iterations=4, lengths=1)
        filler = NetworkFiller(network, memory)
        found = mask_predict(filler, config, unknown=UNKNOWN, eos=EOS, banned=BANNED, max_lengths_B=limits)
    else:
        stepper, ban = NetworkStepper(network, memory), BanTokens(BANNED)
        found = search(stepper, DecodingConfig(beam=1), bos=BOS, eos=EOS, max_lengths_B=limits, processors=[ban])
    wanted = [[token for token in row if token] for row in batch.target.tolist()]
    written = [[*hypotheses[0].tokens, EOS] for hypotheses in found]
    right = sum(a == b for w, f in zip(wanted, written, strict=True) for a, b in zip(w, f, strict=False))
    return right / sum(map(len, wanted))


def learned(one: Combination) -> float:
    """How much is right in the end; seeds of the strings that are learned and of those that are asked differ."""
    torch.manual_seed(1)
    network = Network(
        one.encoder, one.link, one.decoder, head=one.head, source_size=FIRST + LETTERS, target_size=FIRST + LETTERS
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 100) * (1 - step / STEPS))
    learning, asking = torch.Generator().manual_seed(2), torch.Generator().manual_seed(3)
    right = 0.0
    for step in range(STEPS):
        network.train()
        optimizer.zero_grad()
        network.loss(strings(learning), label_smoothing=0.0).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % EVERY == EVERY - 1 and (right := share_right(network, asking)) >= WANTED:
            break
    return right


@over(SAMPLE[:12], "one")
def test_a_dozen_combinations_learn_to_reverse_strings(one: Combination) -> None:
    assert learned(one) >= WANTED


@pytest.mark.slow
@over(SAMPLE[12:], "one")
def test_the_other_combinations_learn_to_reverse_strings(one: Combination) -> None:
    assert learned(one) >= WANTED


def test_the_sample_has_every_pair() -> None:
    assert set().union(*map(pairs, SAMPLE)) == set().union(*map(pairs, legal()))
    assert len(SAMPLE) > 12
