"""The text of an XML segment with inline elements, and the way back.

Inline elements of TMX 1.4 and XLIFF 1.2 and 2 come in three sorts (a name means the same in all three formats):

    codes       bpt ept ph it ut x bx ex sc ec cp   the native code they hold (``%s``, ``<b>``), else ``<x id="1"/>``
    wrappers    g pc                                ``<g id="1">`` … ``</g>`` around their text
    the others  mrk hi sub …                        their text alone
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

_CODES = frozenset(("bpt", "ept", "ph", "it", "ut", "x", "bx", "ex", "sc", "ec", "cp"))
_WRAPPERS = frozenset(("g", "pc"))
_IDENTITIES = ("id", "i", "x", "hex")


def local(element: Any) -> str:
    """An element's name without its namespace; empty for a comment, processing instruction or entity."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


@dataclass(slots=True)
class Segment:
    """A segment's text with its inline elements spelled out, and which element each spelling stands for, in order."""

    text: str = ""
    inlines: list[tuple[str, Any]] = field(default_factory=list)


def flatten(element: Any) -> Segment:
    """The text of a ``seg``, ``source`` or ``target`` element. White space is left as it is."""
    segment = Segment()
    pieces: list[str] = []
    _walk(element, pieces, segment.inlines)
    segment.text = "".join(pieces)
    return segment


def _walk(element: Any, pieces: list[str], inlines: list[tuple[str, Any]]) -> None:
    pieces.append(element.text or "")
    for child in element:
        name = local(child)
        if name in _CODES:
            spelling = "".join(child.itertext()) or f"<{name}{_identity(child)}/>"
            inlines.append((spelling, child))
            pieces.append(spelling)
        elif name in _WRAPPERS:
            inlines.append((f"<{name}{_identity(child)}>", child))
            pieces.append(inlines[-1][0])
            _walk(child, pieces, inlines)
            pieces.append(f"</{name}>")
        elif name:
            _walk(child, pieces, inlines)
        pieces.append(child.tail or "")


def _identity(element: Any) -> str:
    for name in _IDENTITIES:
        if name in element.attrib:
            return f' {name}="{element.get(name)}"'
    return ""


def fill(element: Any, text: str, inlines: list[tuple[str, Any]]) -> None:
    """Make `text` the content of `element`: spellings of the source's inline elements become copies of these.

    Each inline element is used once. If the wrappers in `text` do not nest, they are left out and their text stays, for
    what is written must be well-formed.
    """
    element.text = None
    for child in list(element):
        element.remove(child)
    if not inlines:
        element.text = text
        return
    wrappers = {spelling for spelling, inline in inlines if local(inline) in _WRAPPERS}
    closers = {f"</{local(inline)}>" for _, inline in inlines if local(inline) in _WRAPPERS}
    spellings = sorted({spelling for spelling, _ in inlines} | closers, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, spellings)) + ")", text)
    if not _nests([piece for piece in pieces[1::2] if piece in wrappers | closers], inlines):
        pieces = [piece for piece in pieces if piece not in wrappers | closers]
    _append(element, pieces, list(inlines), closers)


def _append(element: Any, pieces: list[str], unused: list[tuple[str, Any]], closers: set[str]) -> None:
    here = element
    for piece in pieces:
        inline = next((pair for pair in unused if pair[0] == piece), None)
        if inline is not None:
            unused.remove(inline)
            new = _copy(inline[1])
            here.append(new)
            here = new if local(new) in _WRAPPERS else here
        elif piece in closers:
            here = here.getparent()
        elif len(here):
            here[-1].tail = (here[-1].tail or "") + piece
        else:
            here.text = (here.text or "") + piece


def _copy(inline: Any) -> Any:
    new = copy.deepcopy(inline)
    new.tail = None
    if local(new) in _WRAPPERS:
        new.text = None
        for child in list(new):
            new.remove(child)
    return new


def _nests(tags: list[str], inlines: list[tuple[str, Any]]) -> bool:
    """True if the wrapper tags open and close in pairs, and none opens more often than the source has it."""
    unused = [spelling for spelling, _ in inlines]
    opened: list[str] = []
    for tag in tags:
        if tag.startswith("</"):
            if not opened or opened.pop() != tag[2:-1]:
                return False
        elif tag not in unused:
            return False
        else:
            unused.remove(tag)
            opened.append(re.split("[ >]", tag[1:])[0])
    return not opened
