"""What is longer than an encoder takes, in windows that it does take; no word of it is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from endash.errors import TextError
from endash.text.words import Around, Words

_OVERLAP = 4  # one part in so many of a window is what it has in common with the one before


@dataclass(frozen=True, slots=True)
class Window:
    """Words of a text that are read at once.

    Attributes:
        own: the numbers, counted from 0, of those that get their label here; each word of the text is one window's own.
        tokens: what an encoder is given: all tokens of the words, and what stands around those of a source; of a word that is
            longer than a window by itself only the first.
        places: where among the tokens each own word begins, counted from 1.
    """

    own: range
    tokens: list[int]
    places: list[int]


def word_windows(words: Words, *, limit: int) -> list[Window]:
    """The windows in which a text's words are read, each of at most `limit` tokens; one where all fit, none of no words.

    Windows overlap by up to a quarter, so that no word is read without its neighbours, and a word that two of them read is the
    own of the one in which it stands farther from the cut. Raises TextError for a limit that leaves no room for a word.
    """
    room = _room(words.around, limit)
    spans = _spans([min(len(words.of_word(number)), room) for number in range(len(words))], room)
    middles = ((after.start + before.stop + 1) // 2 for before, after in pairwise(spans))
    own = pairwise([0, *middles, len(words)])
    return [_window(words, span, range(*bounds), room) for span, bounds in zip(spans, own, strict=False)]


def token_windows(tokens: Sequence[int], *, limit: int, around: Around) -> list[list[int]]:
    """A source's tokens in as few windows of at most `limit` as there can be, of about one length, with the same `around` each.

    `tokens` have what stands around them, as `Codec.encode_source` gives them. What stands between is in just one window, in
    turn. Raises TextError for a limit that leaves no room for a token.
    """
    room = _room(around, limit)
    before, after = around
    inner = tokens[len(before) : len(tokens) - len(after)]
    count = max(1, -(-len(inner) // room))
    bounds = [len(inner) * number // count for number in range(count + 1)]
    return [[*before, *inner[start:end], *after] for start, end in pairwise(bounds)]


def _room(around: Around, limit: int) -> int:
    """How many tokens of a text stand in a window."""
    room = limit - sum(map(len, around))
    if room < 1:
        raise TextError(
            f"a window of {limit} tokens has no room between the {sum(map(len, around))} that stand around a source: raise "
            "text.max_length"
        )
    return room


def _spans(sizes: list[int], room: int) -> list[range]:
    """The words of each window: as many as there is room for, beginning with as many of the last one's as a quarter holds."""
    upto = [0, *accumulate(sizes)]
    spans: list[range] = []
    start = end = 0
    while end < len(sizes):
        while start > 0 and upto[end] - upto[start - 1] <= room // _OVERLAP and upto[end + 1] - upto[start - 1] <= room:
            start -= 1
        while end < len(sizes) and upto[end + 1] - upto[start] <= room:
            end += 1
        spans.append(range(start, end))
        start = end
    return spans


def _window(words: Words, span: range, own: range, room: int) -> Window:
    before, after = words.around
    tokens, places = [*before], {}
    for number in span:
        places[number] = len(tokens) + 1
        tokens += words.of_word(number)[:room]
    return Window(own, [*tokens, *after], [places[number] for number in own])
