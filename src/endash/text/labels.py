"""A vocabulary of labels: each is one token, written as it stands."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence

from endash.errors import TextError, nearest
from endash.text.tokenizer import SPECIALS, Tokenizer, check_unicode

FIRST_LABEL = len(SPECIALS)

_LISTED = 20  # labels that an error lists; of more, the nearest
_TOLD = 10  # labels that are told when a training begins


class Labels(Tokenizer):
    """The names of labels as the vocabulary of a target: label k is id 5 + k, and ids 0 to 4 mean what they mean everywhere.

    A name is any text but the empty one. There are no slots, and nothing is spelled: a text that is no label is refused.
    """

    slots = 0

    def __init__(self, model: bytes) -> None:
        """The vocabulary in `model`, a JSON list of the names in the order of their ids. Raises TextError if it is not one."""
        self.model = model
        try:
            names = json.loads(model.decode())
        except ValueError as error:
            raise TextError(f"this is not a list of labels ({error}): copy the whole folder of the model") from None
        if not _are_names(names):
            raise TextError(
                "labels are a list of different texts, none of them empty: copy the whole folder of the model"
            )
        self.names: tuple[str, ...] = tuple(names)
        self._pieces = [*SPECIALS, *self.names]
        self._ids = {name: FIRST_LABEL + number for number, name in enumerate(self.names)}

    @classmethod
    def of(cls, names: Iterable[str]) -> Labels:
        """The vocabulary of these names, however often and in whatever order they come: it is sorted by name.

        Raises TextError where there is none, or one is empty.
        """
        found = sorted(set(names))
        if not found:
            raise TextError("there are no labels to learn: is the corpus empty, or does a filter drop all?")
        if not found[0]:
            raise TextError("a label is empty: name it, or leave its records out")
        for name in found:
            check_unicode(name)
        return cls(json.dumps(found, ensure_ascii=False, indent=0).encode())

    @property
    def told(self) -> str:
        """How many there are, and the first of them."""
        first = ", ".join(self.names[:_TOLD])
        return f"{len(self.names)} labels: {first}{', …' if len(self.names) > _TOLD else ''}"

    @property
    def alike(self) -> list[tuple[str, ...]]:
        """The labels that differ by white space or case alone, those that are alike together."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(" ".join(name.split()).casefold(), []).append(name)
        return [tuple(names) for names in found.values() if len(names) > 1]

    def ids(self, names: Iterable[str]) -> list[int]:
        """The id of each label, in turn. Raises TextError for one that is not known, with the nearest that is."""
        try:
            return [self._ids[name] for name in names]
        except KeyError as error:
            name = str(error.args[0])
            raise TextError(f"the label {name!r} is none of the {len(self.names)}: {self._nearest(name)}") from None

    def encode_parts(self, texts: Sequence[Sequence[str | int]]) -> list[list[int]]:
        """The id of each text, all of which is one label. Raises TextError as `ids` does."""
        return [self.ids(["".join(map(str, parts))]) for parts in texts]

    def decode(self, ids: Iterable[int], slots: Sequence[str] = ()) -> str:
        """The names of the labels among `ids`, with a space between them; special ids give nothing."""
        return " ".join(self._pieces[token] for token in ids if token >= FIRST_LABEL)

    def _nearest(self, name: str) -> str:
        if len(self.names) <= _LISTED:
            return nearest(name, self.names)
        return f"the nearest are {', '.join(map(repr, difflib.get_close_matches(name, self.names, n=3, cutoff=0)))}"


def _are_names(names: object) -> bool:
    """Whether this is what a vocabulary of labels is made of."""
    if not isinstance(names, list) or not names:
        return False
    return all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)
