"""What a model's encoder is given of a source: its tokens, or a sound or picture; and of what is joined to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endash.corpora import Record
from endash.errors import LongTextError
from endash.retrieval import Neighbour, PairIndex
from endash.tasks import Task
from endash.text import Codec
from endash.text.codec import EncodedSource

_HINT = ", or translate it, which splits at sentences"

Source = Any
"""A text, whatever else a task makes a `Record` of, or such a record."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A source as an encoder is given it.

    Attributes:
        text: the text that is read, as its task makes it of a record; or the name of the file that is.
        source: its token ids, which end in eos; or the values of a sound or picture.
        length: how many positions that makes.
        passages: the token ids of each text that is joined to it; none in place of one that is missing or too long.
    """

    text: str
    source: list[int] | NDArray[Any]
    length: int
    passages: tuple[list[int], ...]

    def key(self, origin: str) -> str:
        """32 hexadecimal digits, the same if and only if the text or the file's name and what is in it, the passages and the
        encoder of this `origin` are: a memory knows the name, too."""
        told, values = [origin, self.text, self.passages], b""
        if isinstance(self.source, np.ndarray):
            told, values = [*told, self.source.shape, str(self.source.dtype)], self.source.tobytes()
        return hashlib.blake2b(json.dumps(told).encode() + values, digest_size=16).hexdigest()


def read(
    records: Sequence[Record], task: Task, codec: Codec, *, pairs: PairIndex | None, passages: int
) -> list[Reading]:
    """What is read of each record: its sound or picture, or its task's texts as `read_texts` reads them; errors as of that."""
    if task.reads == "text":
        return read_texts(
            [task.sources(task.fit(record, codec)) for record in records], task, codec, pairs=pairs, passages=passages
        )
    signals = [task.signal(record) for record in records]
    return [
        Reading(record.source, signal, task.positions(signal.shape), ())
        for record, signal in zip(records, signals, strict=True)
    ]


def read_texts(
    texts: Sequence[Sequence[str]], task: Task, codec: Codec, *, pairs: PairIndex | None, passages: int
) -> list[Reading]:
    """What is read of texts as they stand, each with those that are joined to it; or with its so many nearest `pairs`.

    Raises LongTextError for a text of more than ``text.max_length`` tokens.
    """
    limit, firsts = codec.config.max_length, [first for first, *_ in texts]
    encoded = codec.encode_sources(firsts)
    _check(firsts, encoded, limit, hint=_HINT if task.by_sentence else "")
    if pairs is None:
        joined = [task.join(further, codec) for _, *further in texts]
        _check_joined(joined, limit)
    else:
        nearest = pairs.nearest(firsts, count=passages)
        ranks = [_passages(codec, encoded, nearest, rank, limit=limit) for rank in range(passages)]
        joined = [[rank[row] for rank in ranks] for row in range(len(texts))]
    return [
        Reading(first, source.tokens, len(source.tokens), tuple(further))
        for first, source, further in zip(firsts, encoded, joined, strict=True)
    ]


def batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Numbers of rows of about one length, so many that their padded tokens stay within `batch_tokens`."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    first = 0
    while first < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[first]]))
        yield order[first : first + size]
        first += size


def _check(texts: Sequence[str], encoded: Sequence[EncodedSource], limit: int, *, hint: str = "") -> None:
    for row, (text, source) in enumerate(zip(texts, encoded, strict=True)):
        if len(source.tokens) > limit:
            raise LongTextError(
                row,
                f"{len(source.tokens)} tokens, and this model takes {limit}: it begins {text[:60]!r}; split it{hint}",
            )


def _check_joined(joined: Sequence[Sequence[Sequence[int]]], limit: int) -> None:
    for row, further in enumerate(joined):
        if (longest := max(map(len, further), default=0)) > limit:
            raise LongTextError(
                row, f"what is joined to it has {longest} tokens, and this model takes {limit}: shorten it"
            )


def _passages(
    codec: Codec, encoded: Sequence[EncodedSource], nearest: Sequence[Sequence[Neighbour]], rank: int, *, limit: int
) -> list[list[int]]:
    """For each source the tokens of its pair of this rank, or none."""
    rows = [row for row, found in enumerate(nearest) if rank < len(found)]
    pairs = [(nearest[row][rank].source, nearest[row][rank].target) for row in rows]
    tokens: list[list[int]] = [[] for _ in nearest]
    for row, passage in zip(rows, codec.encode_pairs(pairs, [encoded[row].placeholders for row in rows]), strict=True):
        tokens[row] = passage if len(passage) <= limit else []
    return tokens
