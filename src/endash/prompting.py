"""Examples beside a prompt: each is encoded alone, and joined to the memory of every text that is answered by them.

An encoder that reads all examples in one text reads them anew for each text. Here an example is a memory of its own that any
number of texts share, and a decoder reads all of them at once (Izacard & Grave 2021; for examples Ye et al. 2023, FiD-ICL).

Shapes: B texts, S positions of one, N examples, P positions of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from endash.errors import MemoryMismatchError, ModelError, TextError
from endash.memory import Memory
from endash.registry import kind_of
from endash.text import SEP

if TYPE_CHECKING:
    from endash.model import Model

Shown = Sequence[tuple[str, str]] | Memory
"""Examples as pairs (source, target), or as `encode` made a memory of them."""


@torch.no_grad()
def encode(model: Model, examples: Sequence[tuple[str, str]]) -> Memory:
    """The memory (N, P) of examples, a row each: source, sep, target. Each is encoded alone, so that none depends on another.

    Raises ModelError for a model that reads no examples, TextError for what is no pair or longer than the model takes, and for
    an empty list.
    """
    _check_reads(model)
    pairs = _pairs(examples)
    rows, limit = model.codec.encode_pairs(pairs, [()] * len(pairs)), model.codec.config.max_length
    for number, tokens in enumerate(rows, start=1):
        if len(tokens) > limit:
            raise TextError(
                f"example {number} has {len(tokens)} tokens, and this model takes {limit}: shorten it, or leave it out"
            )
    model.network.eval()
    memory = Memory.stack([model.network.encode_joined(model.padded([tokens])) for tokens in rows])
    return replace(memory, sources=tuple(source for source, _ in pairs), origin=model.origin)


def beside(model: Model, examples: Shown) -> Memory | None:
    """Examples as the one row (1, N · P) that `joined` takes; None where there are none.

    The longest comes first, as in training. Its segments are 0 … N - 1; of more examples than ``task.examples`` those past the last
    count as the last, for the links that read segments apart. Raises as `encode`, and MemoryMismatchError for a memory of another
    model, or not of examples.
    """
    if len(examples) == 0:
        return None
    memory = examples if isinstance(examples, Memory) else encode(model, examples)
    _check_memory(model, memory)
    first, *others = (
        memory.select([row]).trim() for row in memory.mask.sum(1).argsort(descending=True, stable=True).tolist()
    )
    one = first.join(*others).to(model.device, model.network.target_embedding.weight.dtype)
    assert one.segments is not None
    # without an origin, as the memory of a batch is
    return replace(one, segments=one.segments.clamp(max=model.recipe.joins - 1), origin="")


def joined(memory: Memory, examples: Memory | None) -> Memory:
    """The memory (B, S) of a batch of texts, and joined to each row the examples, as `beside` gives them."""
    return memory if examples is None else memory.join(examples.select([0] * len(memory)))


def _check_reads(model: Model) -> None:
    if not model.task.alike:
        raise ModelError(
            f"this is a model of task.kind = {kind_of(model.recipe.task)!r}, which has learned to read no examples: leave them out, "
            'or train one by task = { kind = "prompting", examples = 4 }'
        )


def _check_memory(model: Model, memory: Memory) -> None:
    _check_reads(model)
    if memory.origin != model.origin:
        raise MemoryMismatchError(
            f"these examples were encoded by another model (origin {memory.origin or 'unknown'!r}, this model's is "
            f"{model.origin!r}): encode them with this one, by model.encode_examples"
        )
    if memory.tokens is None or not (memory.tokens == SEP).any(1).all():
        raise MemoryMismatchError(
            "a memory of texts was given in place of examples: encode pairs of a source and a target, by model.encode_examples"
        )


def _pairs(examples: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    found = []
    for number, example in enumerate(examples, start=1):
        whole = isinstance(example, list | tuple) and [type(text) for text in example] == [str, str]
        if not whole:
            raise TextError(f"example {number} is {example!r:.60}: give a pair of texts, (source, target)")
        found.append((example[0], example[1]))
    if not found:
        raise TextError("there is no example to encode: give at least one pair (source, target)")
    return found
