"""A translation memory: the stored pairs whose sources are nearest to a text, and then to what these leave of it.

Nearness is the cosine of weighted character n-grams (n = 2, 3, 4) of the lower-cased text, with sublinear counts (Salton &
Buckley 1988) and the *square root* of the inverse document frequency: on interface strings its nearest targets score about
1 chrF and 1 BLEU better than with the whole of it, which lets one rare word outweigh the rest of a short text.

Of several pairs each is nearest to the text with those n-grams halved that an earlier one holds: the second brings words that
the first does not have. Of the words of unseen German strings, 48 % stand in the nearest pair's target, 57 % in the two
nearest ones', and 61 % in two so chosen (interface strings of the demo's corpus, its valid part). Halving was better than quartering or leaving out.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pydantic import Field

from endash.config import Config
from endash.corpora.keys import key_digest
from endash.errors import TextError

_FILE = "pairs.jsonl.gz"
_ORDERS = (2, 3, 4)
_BITS = 20  # an n-gram is one of 2**20 columns, by its hash
_BLOCK = 10_000  # texts whose n-grams are counted at a time
_SCORES = 2**23  # scores held in memory at a time,
_QUERIES = 1_000  # of no more texts than this
_CANDIDATES = 32  # pairs that rare n-grams find and all n-grams judge
_NOBODY = 0  # the key of what several keys have; no digest is known to be it
_HELD = 0.5  # what an n-gram still counts when a pair that was found holds it


class RetrievalConfig(Config):
    """Section ``[retrieval]`` of a recipe: what a model reads beside a source."""

    passages: int = Field(1, ge=1, le=16)  # stored pairs, at most so many


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored pair near a text. Similarity is above 0, and 1 if the sources differ in case at most."""

    source: str
    target: str
    similarity: float


class PairIndex:
    """Pairs of source and target, found by how near their sources are to a text."""

    def __init__(
        self, pairs: Sequence[tuple[str, str]], *, keys: Sequence[int], weights: Any, vectors: Any, by_rare: Any
    ) -> None:
        """For `build`: the weight of each column, the weighted n-grams of each pair, and those that are rare transposed."""
        self.pairs, self.keys = pairs, keys
        self._weights = weights
        self._vectors = vectors
        self._by_rare = by_rare

    @classmethod
    def build(cls, pairs: Sequence[tuple[str, str]], *, keys: Sequence[int] | None = None) -> PairIndex:
        """An index of `pairs`, those that occur again left out; `keys` are the `record_digest` of each, by default its source's.

        A pair that several keys have is nobody's own.
        """
        import numpy as np

        key_of: dict[tuple[str, str], int] = {}
        for pair, key in zip(pairs, keys or (key_digest(source) for source, _ in pairs), strict=True):
            key_of[pair] = key if key_of.get(pair, key) == key else _NOBODY
        pairs = list(key_of)
        vectors = _count([source for source, _ in pairs])
        frequency = np.bincount(vectors.indices, minlength=2**_BITS)
        weights = np.sqrt(np.log((1 + len(pairs)) / (1 + frequency)) + 1).astype(np.float32)
        _weigh(vectors, weights)
        rare = vectors.copy()
        rare.data[frequency[rare.indices] > 8 * len(pairs) ** 0.5] = 0
        rare.eliminate_zeros()
        return cls(pairs, keys=list(key_of.values()), weights=weights, vectors=vectors, by_rare=rare.T.tocsr())

    def __len__(self) -> int:
        return len(self.pairs)

    def nearest(self, texts: Sequence[str], *, count: int = 1, exclude: Sequence[int] = ()) -> list[list[Neighbour]]:
        """For each text `count` pairs, nearest first, each further one nearest to what the earlier ones leave of it.

        They are fewer if no more share an n-gram with the text.

        `exclude` has for each text the `record_digest` of those that are not its neighbours: its own, so that a training sentence
        finds what an unseen one would, and nothing of its own conversation. Memory does not grow with the number of texts. Candidates come
        from n-grams that occur in no more than 8 √n of the n pairs: in rare cases a pair that shares nothing but common
        n-grams, and would be nearest by a little, is missed.
        """
        if not self.pairs:
            return [[] for _ in texts]
        rows = max(1, min(_QUERIES, _SCORES // len(self.pairs)))
        blocks = ((texts[start : start + rows], exclude[start : start + rows]) for start in range(0, len(texts), rows))
        return [found for some, own in blocks for found in self._nearest(some, count, own)]

    def _nearest(self, texts: Sequence[str], count: int, own: Sequence[int]) -> list[list[Neighbour]]:
        queries = _count(texts)
        _weigh(queries, self._weights)
        left = queries.copy()
        found: list[list[int]] = [[] for _ in texts]
        rows, places = list[int](), list[int]()
        for rank in range(count):
            if rank:
                left.data[_held(left, rows, self._vectors[places])] *= _HELD
            rows, places = self._best(left, own, found)
            for row, place in zip(rows, places, strict=True):
                found[row].append(place)
        rows = [row for row, of_row in enumerate(found) for _ in of_row]
        similar = self._similar(queries, rows, list(chain(*found)))
        neighbours = (
            self._neighbour(place, similarity) for place, similarity in zip(chain(*found), similar, strict=True)
        )
        return [list(islice(neighbours, len(of_row))) for of_row in found]

    def _best(self, queries: Any, own: Sequence[int], found: list[list[int]]) -> tuple[list[int], list[int]]:
        """The queries for which there is a pair that was not `found` yet, and the place of the nearest for each."""
        import numpy as np

        candidates = self._candidates(queries, _CANDIDATES + max(map(len, found)), own)
        rows, places = (
            np.repeat(np.arange(len(candidates)), [len(one) for one in candidates]),
            np.concatenate(candidates),
        )
        new = np.array([place not in found[row] for row, place in zip(rows, places, strict=True)], dtype=bool)
        rows, places = rows[new], places[new]
        order = np.lexsort((places, -self._similar(queries, rows, places), rows))
        rows, first = np.unique(rows[order], return_index=True)
        return rows.tolist(), places[order][first].tolist()

    def _similar(self, queries: Any, rows: Any, places: Any) -> Any:
        """The product of each of these queries with the pair at its place."""
        return self._vectors[places].multiply(queries[rows]).sum(axis=1)

    def _candidates(self, queries: Any, wanted: int, own: Sequence[int]) -> list[Any]:
        """The places of the best `wanted` pairs of each query, in no order; all that share an n-gram if they are fewer."""
        import numpy as np

        def best(similar: Any, row: int, query: int) -> Any:
            entries = slice(similar.indptr[row], similar.indptr[row + 1])
            places, values = similar.indices[entries], similar.data[entries]
            if own:
                others = self._key_of_pair[places] != np.uint64(own[query])
                places, values = places[others], values[others]
            return places[np.argpartition(-values, wanted)[:wanted]] if len(places) > wanted else places

        by_rare = queries @ self._by_rare
        found = [best(by_rare, query, query) for query in range(queries.shape[0])]
        few = [query for query, places in enumerate(found) if len(places) < wanted]
        by_all = (self._vectors @ queries[few].T).T.tocsr() if few else by_rare
        for row, query in enumerate(few):
            found[query] = best(by_all, row, query)
        return found

    def _neighbour(self, place: int, similarity: float) -> Neighbour:
        source, target = self.pairs[place]
        return Neighbour(source, target, min(float(similarity), 1.0))

    @cached_property
    def _key_of_pair(self) -> Any:
        import numpy as np

        return np.array(self.keys, dtype=np.uint64)

    def save(self, folder: Path | str) -> None:
        """Write the pairs to `folder`, which is made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        own = (key_digest(source) for source, _ in self.pairs)
        rows = (
            [*pair, *([] if key == of_source else [key])]
            for pair, key, of_source in zip(self.pairs, self.keys, own, strict=True)
        )
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / _FILE).write_bytes(gzip.compress(lines.encode(), mtime=0))

    @classmethod
    def load(cls, folder: Path | str) -> PairIndex:
        """The index of the pairs that `save` wrote. Raises TextError if they are missing or broken."""
        path = Path(folder) / _FILE
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                held = [_pair(json.loads(line)) for line in lines]
        except FileNotFoundError:
            raise TextError(f"no translation memory at {path}; copy the whole folder of the model") from None
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise TextError(f"{path} is not a translation memory or is broken ({error}): copy it again") from None
        return cls.build([pair for pair, _ in held], keys=[key for _, key in held])


def _pair(value: object) -> tuple[tuple[str, str], int]:
    """A stored pair and its key, which is written where it is not that of the source."""
    match value:
        case [str(source), str(target)]:
            return (source, target), key_digest(source)
        case [str(source), str(target), int(key)]:
            return (source, target), key
    raise ValueError(f"no pair of texts but {value!r:.60}")


def _count(texts: Sequence[str]) -> Any:
    """A sparse array (texts, 2**20) of 1 + log(count) of each text's n-grams."""
    from scipy.sparse import vstack

    starts = range(0, max(1, len(texts)), _BLOCK)
    return vstack([_count_block(texts[start : start + _BLOCK]) for start in starts], format="csr")


def _count_block(texts: Sequence[str]) -> Any:
    import numpy as np
    from scipy.sparse import csr_array

    padded = [f" {text.lower()} " for text in texts]
    letters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    text_of = np.repeat(np.arange(len(texts)), [len(text) for text in padded])
    keys, hashes = [], letters
    for order in _ORDERS:
        hashes = hashes[:-1] * np.uint64(0x9E3779B97F4A7C15) + letters[order - 1 :]
        columns = (hashes * np.uint64(0xD6E8FEB86659FD93) >> np.uint64(64 - _BITS)).astype(np.int64)
        within = text_of[: len(columns)] == text_of[order - 1 :]
        keys.append((text_of[: len(columns)][within] << _BITS) | columns[within])
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    row_starts = np.searchsorted(found, np.arange(len(texts) + 1) << _BITS)
    data = 1 + np.log(counts, dtype=np.float32)
    return csr_array((data, (found & (2**_BITS - 1)).astype(np.int32), row_starts), shape=(len(texts), 2**_BITS))


def _held(queries: Any, rows: list[int], held: Any) -> Any:
    """Which entries of `queries` have an n-gram that is in the row of `held` for their row."""
    import numpy as np

    row_of = np.repeat(np.arange(queries.shape[0]), np.diff(queries.indptr))
    held_row_of = np.repeat(np.asarray(rows, dtype=np.int64), np.diff(held.indptr))
    return np.isin((row_of.astype(np.int64) << _BITS) | queries.indices, (held_row_of << _BITS) | held.indices)


def _weigh(counts: Any, weights: Any) -> None:
    """Multiply the columns by `weights`, then bring each row to length 1, in place."""
    import numpy as np

    counts.data *= weights[counts.indices]
    row_of = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    squares = np.bincount(row_of, counts.data**2, minlength=counts.shape[0])
    counts.data /= np.sqrt(squares).astype(np.float32)[row_of]
