"""How English texts say the slots of E2E whose values they do not repeat: area, familyFriendly, customer rating, priceRange.

Patterns read a text as `normal` leaves it: lower case, no accents, hyphens as spaces. A word for a number of the same meaning
counts as it (cheap for less than £20, highly rated for 5 out of 5), which is how people write them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

_WHO = r"(?:famil(?:y|ies)|kids?|child(?:ren)?s?)"
_FEW = r"(?:\w+ ){0,2}"
_FRIENDLY = (
    rf"{_WHO}(?: (?:and|or) {_WHO})? (?:friendly|oriented)|friendly {_FEW}{_WHO}|family (?:place|restaurant|coffee|pub)"
    rf"|(?:welcom\w+|allow\w*|accept\w*|cater\w*|suit\w*|good|great|perfect|ideal|fun|open) {_FEW}{_WHO}"
    rf"|{_WHO} (?:are |is )?(?:\w+ )?(?:welcom\w*|allowed|permitted)"
)
_NOT = r"\b(?:not|non|no|never|without|nor|(?:is|are|does|do)n t)(?: (?!and |but |yet |has |with )\w+){0,3}?"
_UNFRIENDLY = rf"{_NOT} (?:{_FRIENDLY}|{_WHO})|{_WHO} (?:are |is )?(?:not|unfriendly)|\badults?\b"

_RATED = r"(?:(?:customers?|overall|service|satisfaction) ){0,2}(?:rat(?:ed|es?|ings?)|reviews?|reviewed)\b"
_BETWEEN = r"(?: (?:is|are|was|has|been|being|of|as|a|an|at|by|it|them|only|very|quite|range|ranges|ranging|in|the|customers?)){0,4}"
_PRICED = r"(?:pric\w+|costs?|costing)\b"


def _stars(number: str) -> str:
    return (
        rf"\b(?:{number}) ?(?:stars?\b|starred|(?:out(?: of)?|of|/) ?(?:5|five)\b)"
        rf"|\brat(?:ed|es?|ings?)\b{_BETWEEN} (?:{number})\b(?! ?(?:out|of|/))"
    )


def _rated(words: str) -> str:
    return rf"\b(?:{words}) {_RATED}|\brat(?:ed|es?|ings?)\b{_BETWEEN} (?:{words})\b"


def _priced(words: str, others: str) -> str:
    return rf"\b(?:{words})(?: (?:level|range|end|in))? ?{_PRICED}|\b{_PRICED}{_BETWEEN} (?:{words})\b|{others}"


# For each slot how a text says each meaning, in numbers where it has some, or else in words. What one pattern finds is taken
# out of the text before the next one reads it.
_SAID: Mapping[str, Sequence[Mapping[str, str]]] = {
    "familyFriendly": ({"no": _UNFRIENDLY, "yes": _FRIENDLY},),
    "customer rating": (
        {"low": _stars("1|one"), "average": _stars("3|three"), "high": _stars("5|five")},
        {
            "low": _rated("low|lower|poor|poorly|bad|badly"),
            "average": _rated("average|averagely|moderate|moderately|mediocre|decent"),
            "high": _rated("high|higher|highly|good|great|excellent|well|top"),
        },
    ),
    "priceRange": (
        {
            "low": r"(?:less|lower|under|below)(?: than)? ?£? ?20\b",
            "middle": r"£? ?20 ?(?:to|and)? ?£? ?25\b",
            "high": r"(?:more|over|above|higher)(?: than)? ?£? ?30\b",
        },
        {
            "low": _priced("low|lower", r"\bcheap\w*|\binexpensive|\baffordabl[ey]"),
            "middle": _priced(
                "mid|middle|medium|average|reasonable|reasonably", r"\bmoderate(?:ly)?\b(?! (?:customer|rat|expensive))"
            ),
            "high": _priced("high|higher|highly", r"\bexpensive|\bpricey"),
        },
    ),
    "area": (
        {
            "riverside": r"\briver ?sides?\b|\b(?:by|on|near|along|at|to|of|beside) (?:the )?river\b",
            "city centre": r"\b(?:city|town) ?centre\b|\bcentre of (?:the )?(?:city|town)\b",
        },
    ),
}
_PATTERNS = {
    slot: [[(meaning, re.compile(pattern)) for meaning, pattern in way.items()] for way in ways]
    for slot, ways in _SAID.items()
}
_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "familyFriendly": {"yes": "yes", "no": "no"},
    "customer rating": {"1 out of 5": "low", "3 out of 5": "average", "5 out of 5": "high"}
    | {level: level for level in ("low", "average", "high")},
    "priceRange": {"cheap": "low", "less than £20": "low", "moderate": "middle", "£20-25": "middle"}
    | {"high": "high", "more than £30": "high"},
    "area": {"riverside": "riverside", "city centre": "city centre"},
}
SLOTS = tuple(_PATTERNS)


def normal(text: str) -> str:
    """`text` without accents, case, hyphens and apostrophes, and with every centre spelled alike."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
    return " ".join(re.sub(r"[-‐‑–—'’`]", " ", plain).replace("center", "centre").split())


def meaning(slot: str, value: str) -> str | None:
    """What a value of a slot means, where texts say it in other words; None where they have to repeat it."""
    return _MEANINGS.get(slot, {}).get(value)


def said(slot: str, text: str) -> set[str]:
    """The meanings that a `normal` text says of one of the SLOTS."""
    for way in _PATTERNS[slot]:
        found = set()
        for name, pattern in way:
            text, count = pattern.subn(" ; ", text)
            if count:
                found.add(name)
        if found:
            return found
    return set()
