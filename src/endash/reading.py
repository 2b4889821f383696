"""What a model reads of a text: its tokens, and those of the pairs of its translation memory that are near it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from endash.errors import LongTextError
from endash.retrieval import Neighbour, PairIndex
from endash.text import Codec
from endash.text.codec import EncodedSource


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as an encoder is given it.

    Attributes:
        text: the source.
        tokens: its token ids, which end in eos.
        passages: the token ids of each pair read beside it, nearest first; none in place of a pair that is missing or too long.
    """

    text: str
    tokens: list[int]
    passages: tuple[list[int], ...]

    def key(self, origin: str) -> str:
        """32 hexadecimal digits, the same if and only if the text, its passages and the encoder of this `origin` are."""
        told = json.dumps([origin, self.text, self.passages])
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def read(texts: Sequence[str], codec: Codec, *, limit: int, pairs: PairIndex | None, passages: int) -> list[Reading]:
    """What is read of each text: up to `limit` tokens, and of the nearest `pairs` so many as `passages`.

    Raises LongTextError for a text of more tokens.
    """
    encoded = codec.encode_sources(texts)
    _check(texts, encoded, limit)
    nearest = pairs.nearest(texts, count=passages, exclude_own=False) if pairs and passages else [[] for _ in texts]
    ranks = [_passages(codec, encoded, nearest, rank, limit=limit) for rank in range(passages)]
    return [
        Reading(text, source.tokens, tuple(rank[row] for rank in ranks))
        for row, (text, source) in enumerate(zip(texts, encoded, strict=True))
    ]


def lengths(texts: Sequence[str], codec: Codec, *, limit: int) -> list[int]:
    """How many tokens each text has. Raises LongTextError for the first that has more than `limit`."""
    encoded = codec.encode_sources(texts)
    _check(texts, encoded, limit)
    return [len(source.tokens) for source in encoded]


def batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Numbers of rows of about one length, so many that their padded tokens stay within `batch_tokens`."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    first = 0
    while first < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[first]]))
        yield order[first : first + size]
        first += size


def _check(texts: Sequence[str], encoded: Sequence[EncodedSource], limit: int) -> None:
    for row, (text, source) in enumerate(zip(texts, encoded, strict=True)):
        if len(source.tokens) > limit:
            raise LongTextError(
                row,
                f"{len(source.tokens)} tokens, and this model takes {limit}: it begins {text[:60]!r}; split it, or "
                "translate it, which splits at sentences",
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
