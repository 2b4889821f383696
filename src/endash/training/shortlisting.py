"""The vocabulary shortlist of a model, learned from the examples it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from endash.shortlist import Coverage, Shortlist, learn
from endash.training.examples import Examples
from endash.training.preparation import Prepared

_LINKS = 2**24  # source · target tokens to learn from, for seconds and a gigabyte; of more examples, a fixed sample


def learn_shortlist(prepared: Prepared) -> Shortlist:
    """The shortlist of the train part, or of a part of it that is drawn where it is large."""
    return learn(prepared.codec, _pairs(prepared.train, _drawn(prepared.train)))


def coverage(shortlist: Shortlist, valid: Examples) -> Coverage:
    """How much of the valid part's targets a shortlist holds."""
    return shortlist.coverage(_pairs(valid, range(len(valid))))


def _drawn(examples: Examples) -> Iterable[int]:
    """Rows of no more than `_LINKS` links, at least one, in the same random order for the same lengths."""
    rows = np.random.default_rng(0).permutation(len(examples))
    lengths = np.asarray(examples.lengths[rows], dtype=np.int64)
    links = np.cumsum((lengths[:, 0] + 1) * lengths[:, 1])
    drawn: list[int] = rows[: max(1, int(np.searchsorted(links, _LINKS, side="right")))].tolist()
    return drawn


def _pairs(examples: Examples, rows: Iterable[int]) -> Iterator[tuple[list[int], list[int]]]:
    return ((example.source, example.target) for example in map(examples.__getitem__, rows))
