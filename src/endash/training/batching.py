"""Stored examples as the batch that a network is trained and judged on."""

from __future__ import annotations

import torch

from endash.encoding import Batch
from endash.signals import pad_signals
from endash.training.batches import Rows
from endash.training.examples import Examples


def make_batch(examples: Examples, rows: Rows, device: torch.device) -> Batch:
    """The examples of these rows, on `device`; see `pad_signals` for sources that are no tokens."""
    source, target, *passages = (torch.from_numpy(field).to(device) for field in examples.padded(rows))
    places = examples.places(rows)
    return Batch(
        source if examples.signals is None else pad_signals([examples.signals[row] for row in rows], device),
        target,
        tuple(passages),
        None if places is None else torch.from_numpy(places).to(device),
    )
