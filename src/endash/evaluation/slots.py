"""Slot error rate: what a text leaves out of its meaning representation, gets wrong or adds to it.

A meaning representation is that of E2E, ``name[The Eagle], area[riverside]`` (Novikova et al. 2017). A slot whose value is not
said is an error; one whose value is said beside another is one; one that is said and not asked for is one. The rate is their
number in a hundred of the slots asked for (Wen et al. 2015; Dušek et al. 2019). A value is said where it stands, whatever the
case, accents and hyphens; for four slots of E2E other words count too (`slot_words`).

It is a measure by patterns: by it the references of E2E's development set, which people wrote, have 9.1 errors in a hundred
slots. Most of them do leave a slot out, so a model that says all can stay below its references.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from endash.errors import CorpusError
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import Answered, RatioScorer
from endash.evaluation.slot_words import SLOTS, meaning, normal, said

_SLOT = re.compile(r"\s*(\w[\w ]*?)\s*\[([^\[\]]+)\]\s*(?:,|$)")
_NAMES = ("name", "near")  # read first: The Cambridge Blue and Raja Indian Cuisine are no area and no food
_OF_ANY = frozenset({("eatType", "restaurant")})  # nothing is added where any place is called one

Meaning = dict[str, str]
"""The value of each slot."""


def read_meaning(text: str) -> Meaning:
    """The slots of ``name[The Eagle], area[riverside]``. Raises CorpusError if `text` is no such list, or names a slot twice."""
    found: Meaning = {}
    at = 0
    while at < len(text):
        slot = _SLOT.match(text, at)
        if slot is None or slot[1] in found:
            problem = f"slot {slot[1]!r} stands twice" if slot else f"{text[at : at + 40]!r} is no slot"
            raise CorpusError(
                f"{problem} in the meaning representation {text!r:.80}: write name[value], name[value], …"
            )
        found[slot[1]] = slot[2]
        at = slot.end()
    if not found:
        raise CorpusError("an empty meaning representation: write name[value], name[value], …")
    return found


class SlotErrors(RatioScorer):
    """Slot error rate, 0 and more, lower is better; the sources are the meaning representations.

    The values that a text may say of a slot are those that stand in any of the sources.
    """

    name, title, lower, scale = "ser", "SER", True, 100.0

    def statistics(self, given: Answered) -> Floats:
        """Errors and slots of each record, (N, 2)."""
        if not given.sources:
            raise CorpusError(
                "the slot error rate reads the meaning representations: give them as sources, one a record"
            )
        meanings = [read_meaning(source) for source in given.sources]
        values = _values(meanings)
        rows = [
            (errors(asked, said_of(text, values)), len(asked))
            for text, asked in zip(given.texts(self.name), meanings, strict=True)
        ]
        return np.array(rows, dtype=np.float64)

    def settings(self, given: Answered) -> list[str]:
        """How values are found."""
        return ["slots:e2e", "match:value"]


def errors(asked: Meaning, found: Mapping[str, set[str]]) -> int:
    """How many slots are missing, contradicted or added, where `found` has what a text says of each slot."""
    count = 0
    for slot in asked.keys() | found.keys():
        said_here = found.get(slot, set())
        if slot in asked:
            count += said_here != {meaning(slot, asked[slot]) or normal_value(asked[slot])}
        else:
            count += any((slot, one) not in _OF_ANY for one in said_here)
    return count


def said_of(text: str, values: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What `text` says of each slot that has `values`."""
    rest = normal(text)
    found: dict[str, set[str]] = {}
    every = [(slot, value) for slot, of_slot in values.items() for value in of_slot]
    for slot, value in sorted(every, key=lambda one: (one[0] not in _NAMES, -len(one[1]), one)):
        rest, count = re.subn(rf"(?<!\w)(?:the )?{re.escape(value)}(?!\w)", " ; ", rest)
        if count:
            found.setdefault(slot, set()).add(value)
    for slot in SLOTS:
        found.setdefault(slot, set()).update(said(slot, rest))
    return found


def _values(meanings: Iterable[Meaning]) -> dict[str, set[str]]:
    """The values that each slot has anywhere, without those whose meaning is said in other words."""
    found: dict[str, set[str]] = defaultdict(set)
    for asked in meanings:
        for slot, value in asked.items():
            if meaning(slot, value) is None:
                found[slot].add(normal_value(value))
    return dict(found)


def normal_value(value: str) -> str:
    """A value as it is looked for in a `normal` text."""
    return normal(value).removeprefix("the ")
