"""A text that comes in words, each of which may be several tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from endash.errors import TextError

Around = tuple[tuple[int, ...], tuple[int, ...]]
"""What stands before and after the tokens of a source, in every source of one vocabulary."""


@dataclass(frozen=True, slots=True)
class Words:
    """The tokens of a text's words, in turn; a word has one at least.

    Attributes:
        tokens: of all words, without what stands around those of a source.
        firsts: where among them each word begins, counted from 0.
        around: what stands before and after the tokens of a source.
    """

    tokens: list[int]
    firsts: list[int]
    around: Around

    @classmethod
    def of(cls, pieces: Iterable[Sequence[int]], *, around: Around) -> Words:
        """The words of which these are the tokens, one or more each."""
        tokens: list[int] = []
        firsts: list[int] = []
        for word in pieces:
            firsts.append(len(tokens))
            tokens += word
        return cls(tokens, firsts, around)

    def __len__(self) -> int:
        return len(self.firsts)

    def of_word(self, number: int) -> list[int]:
        """The tokens of word `number`, counted from 0."""
        end = self.firsts[number + 1] if number + 1 < len(self.firsts) else len(self.tokens)
        return self.tokens[self.firsts[number] : end]


def check_words(words: Sequence[str]) -> None:
    """Raise TextError where a word is empty: it could have no token, and so no label."""
    if "" in words:
        place = words.index("")
        raise TextError(
            f"word {place + 1} of {len(words)}, after {' '.join(words[:place])[-40:]!r}, is empty: leave it out"
        )
