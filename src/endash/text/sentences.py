"""Split a text that is too long: at lines, at sentences, in the end at semicolons; nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from endash.errors import TextError
from endash.text.placeholders import cut_at_placeholders

_SPACE = re.compile(r"\s+")
_BREAK = re.compile(r"[\r\n\u2028\u2029]")
_CLOSING = r"""["'”’»)\]}」』】）》〉]*+"""
_ENDS = rf"[。！？｡；…]++{_CLOSING}\s*|(?<![.!?؟।॥۔])[.!?؟।॥۔]++{_CLOSING}\s+"
_SENTENCE = re.compile(_ENDS)
_CLAUSE = re.compile(rf"{_ENDS}|[;:]\s+")
_LAST_WORD = re.compile(r"[^\s([{\"'“„«]*$")
_ABBREVIATION = re.compile(
    r"""mrs?|ms|dr|prof|st|jr|sr|nos?|vs|approx|dept|figs?|eqs?|vol|ch|pp?|eds?|cf|al|resp|e\.g|i\.e|inc|ltd|co|corp
    |gen|sen|rep|gov|mt|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|etc
    |hr|fr|bzw|ca|usw|evtl|ggf|inkl|exkl|nr|abb|tab|bd|vgl|sog|max|min|z\.b|d\.h|u\.a|o\.ä|i\.d\.r|str
    |mme|mlle|ex|sra|srta|uds?|dra
    |\d{1,2}|[a-z]  # the German 3. Mai, an initial""",
    re.VERBOSE | re.IGNORECASE,
)


def split_text(
    text: str, fits: Callable[[str], bool], *, tell: Callable[[str], str] | None = None
) -> list[tuple[str, str]]:
    """Pieces of `text` that fit, each with the white space behind it; all of them joined in turn are `text`.

    A text that fits is one piece. Else it is split into its lines, a line that does not fit into its sentences, and such
    a sentence wherever an abbreviation or a clause may end; never inside a placeholder. Only the first piece may be
    empty, before leading white space. `tell` says in an error how long a sentence is, by default in characters.
    Raises TextError if a sentence does not fit.
    """
    if fits(text):
        return [(text, "")]
    lead = text[: len(text) - len(text.lstrip())]
    trail = text[len(text.rstrip()) :] if text.strip() else ""
    first = [("", lead)] if lead else []
    core = text[len(lead) : len(text) - len(trail)]
    return [*first, *_split(core, trail, fits, tell or _characters, _LEVELS)]


def _characters(sentence: str) -> str:
    return f"{len(sentence)} characters"


_Finder = Callable[[str], Iterator[tuple[int, int]]]  # where white space between two pieces begins and ends


def _split(
    text: str, separator: str, fits: Callable[[str], bool], tell: Callable[[str], str], levels: tuple[_Finder, ...]
) -> Iterator[tuple[str, str]]:
    if not text or fits(text):
        if text or separator:
            yield text, separator
        return
    if not levels:
        raise TextError(
            f"a sentence is too long for this model, which cuts nothing off silently: {tell(text)}; "
            f"it begins {text[:60]!r}: make two or more sentences of it"
        )
    start = 0
    for end, next_start in levels[0](_without_placeholders(text)):
        yield from _split(text[start:end], text[end:next_start], fits, tell, levels[1:])
        start = next_start
    yield from _split(text[start:], separator, fits, tell, levels[1:])


def _without_placeholders(text: str) -> str:
    """`text` of the same length, with a letter for each character of a placeholder."""
    pieces = cut_at_placeholders(text)
    pieces[1::2] = ["x" * len(placeholder) for placeholder in pieces[1::2]]
    return "".join(pieces)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in _SPACE.finditer(text) if _BREAK.search(found.group()))


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    for end, start in _clauses(text, _SENTENCE):
        before = _LAST_WORD.search(text[max(0, end - 40) : end])
        word = before.group() if before else ""
        abbreviated = word.endswith(".") and _ABBREVIATION.fullmatch(word[:-1])
        if not abbreviated and not text[start].islower():
            yield end, start


def _clauses(text: str, ends: re.Pattern[str] = _CLAUSE) -> Iterator[tuple[int, int]]:
    for found in ends.finditer(text):
        if found.end() < len(text):
            yield found.start() + len(found.group().rstrip()), found.end()


_LEVELS: tuple[_Finder, ...] = (_lines, _sentences, _clauses)
