"""A whole network that learns to write short strings backward, and how much of unseen ones it gets right."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from endash.config import Config
from endash.decoding.config import DecodingConfig
from endash.decoding.mask_predict import mask_predict
from endash.decoding.search import search
from endash.heads import HeadConfig
from endash.network import BOS, UNKNOWN, Batch, Network
from endash.parts.contracts import PartConfig
from endash.stepper import NetworkFiller, NetworkStepper

EOS, FIRST, VOCABULARY, LONGEST = 3, 5, 15, 8


def strings(count: int, seed: int) -> list[tuple[int, ...]]:
    """So many different strings of 3 to 8 of ten letters."""
    draw, found = random.Random(seed), dict[tuple[int, ...], None]()
    while len(found) < count:
        found[tuple(draw.choices(range(FIRST, VOCABULARY), k=draw.randint(3, LONGEST)))] = None
    return list(found)


def padded(rows: list[tuple[int, ...]]) -> Tensor:
    longest = max(map(len, rows)) + 1
    return torch.tensor([[*row, EOS] + [0] * (longest - 1 - len(row)) for row in rows])


def trained(
    encoder: PartConfig, link: Config, decoder: PartConfig, known: list[tuple[int, ...]], steps: int
) -> Network:
    torch.manual_seed(0)
    network = Network(encoder, link, decoder, head=HeadConfig(), source_size=VOCABULARY, target_size=VOCABULARY)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    draw = random.Random(1)
    for _ in range(steps):
        rows = draw.sample(known, 64)
        network.loss(Batch(padded(rows), padded([row[::-1] for row in rows])), label_smoothing=0.0).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return network.eval()


def written(network: Network, sources: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """What the quickest search finds."""
    memory, limits = network.encode(padded(sources)), torch.tensor([len(row) + 3 for row in sources])
    if network.lengths is None:
        found = search(NetworkStepper(network, memory), DecodingConfig(beam=1), bos=BOS, eos=EOS, max_lengths_B=limits)
    else:
        config = DecodingConfig(search="mask-predict", lengths=1)
        filler = NetworkFiller(network, memory)
        found = mask_predict(filler, config, unknown=UNKNOWN, eos=EOS, banned=(0, 1, 2, 4), max_lengths_B=limits)
    return [best.tokens for [best] in found]


def share_learned(encoder: PartConfig, link: Config, decoder: PartConfig, *, steps: int) -> float:
    """The share of positions of 200 unseen strings that are written right after so many steps of 64 others."""
    every = strings(4200, seed=0)
    network, unseen = trained(encoder, link, decoder, every[200:], steps), every[:200]
    with torch.no_grad():
        right = sum(
            wrote == wanted
            for row, tokens in zip(unseen, written(network, unseen), strict=True)
            for wrote, wanted in zip((*tokens, EOS), (*row[::-1], EOS), strict=False)
        )
    return right / sum(len(row) + 1 for row in unseen)
