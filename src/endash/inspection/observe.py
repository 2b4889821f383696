"""From a model and a text to a `Look`: what the model read while it wrote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from endash.errors import ModelError
from endash.inspection.look import Look
from endash.registry import kind_of
from endash.text import EOS

if TYPE_CHECKING:
    from endash.model import Model


def look_at(model: Model, text: str, *, sight: bool = False) -> Look:
    """What `model` does with one text, decoded as its recipe says; with `sight` also what each position can see.

    Raises TextError if the text is longer than the model takes, ModelError for a model that reads no text.
    """
    import torch

    from endash.inspection.sight import source_sight, target_sight

    if model.task.reads != "text":
        raise ModelError(
            f"a look shows the words that a model reads, and this one reads {model.task.reads}: ask it by endash predict"
        )
    memory = model.encode([text])
    best = model.search(memory)[0][0]
    [read] = memory.sources
    placeholders = model.codec.encode_source(read).placeholders
    tokens = [*best.tokens, EOS]
    watched = model.watch(memory, best.tokens)
    where = memory.mask[0]
    segments = memory.segments if memory.segments is not None else torch.zeros_like(memory.mask, dtype=torch.long)
    states = torch.nn.functional.normalize(memory.states[0, where].float(), dim=-1)
    scores = watched.scores[0].tolist()
    weights, copied = (None if one is None else one[0, ..., where].numpy() for one in (watched.weights, watched.copied))
    assert memory.tokens is not None
    return Look(
        source=read,
        target=model.codec.decode_target(best.tokens, placeholders),
        source_tokens=tuple(model.codec.source.pieces(memory.tokens[0, where].tolist(), placeholders)),
        target_tokens=tuple(model.codec.target.pieces(tokens, placeholders)),
        weights=torch.zeros(0, 0, len(tokens), len(states)).numpy() if weights is None else weights,
        similarity=(states @ states.T).numpy(),
        segments=tuple(segments[0, where].tolist()),
        copied=copied,
        source_sight=source_sight(model, memory)[:, where].numpy() if sight else None,
        target_sight=target_sight(model, memory, best.tokens).numpy() if sight else None,
        score=math.fsum(scores),
        token_scores=tuple(scores),
        link=kind_of(model.recipe.link),
        model=model.recipe.name,
        passages=tuple("translation-memory match" for _ in range(int(segments[0, where].max()))),
    )
