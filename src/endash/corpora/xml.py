"""XML files as streams: elements one at a time on the way in, everything around them untouched on the way out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

from endash.corpora.files import open_bytes
from endash.corpora.readers import Job, verbatim
from endash.corpora.segments import local
from endash.errors import CorpusError

# what `rewrite` calls with an element and its parent
Edit = Callable[[Any, Any], Job | None]

LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def parse(
    path: str, *, root: str, tags: tuple[str, ...] | None = None, events: tuple[str, ...] = ("start", "end")
) -> Iterator[tuple[str, Any]]:
    """The (event, element) pairs of a file (of elements named in `tags`, or all), fetching and expanding nothing; see `drop`.

    Raises CorpusError if the file is not XML, its outermost element is not `root`, or it declares entities of its own.
    """
    from lxml import etree

    with open_bytes(path) as stream:
        options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "collect_ids": False}
        names = None if tags is None else tuple(f"{{*}}{tag}" for tag in tags)
        checked = False
        try:
            parser = etree.iterparse(stream, events=events, tag=names, strip_cdata=False, **options)
            for event, element in parser:
                if not checked and local(element):
                    checked = True
                    _check_root(path, element.getroottree().getroot(), root)
                yield event, element
            if not checked:
                _check_root(path, parser.root, root)
        except etree.XMLSyntaxError as error:
            raise CorpusError(f"{path}:{error.lineno}: not well-formed XML: {error.msg}") from None


def _check_root(path: str, element: Any, root: str) -> None:
    if local(element) != root:
        raise CorpusError(f"{path} begins with <{local(element)}>, and a {root} file with <{root}>: name its kind")
    declared = element.getroottree().docinfo.internalDTD
    if declared is not None and next(iter(declared.iterentities()), None) is not None:
        raise CorpusError(
            f"{path} declares entities of its own, which are not expanded: write the text itself in their place"
        )


def drop(element: Any) -> None:
    """Free an element that is done, and what stood before it."""
    element.clear(keep_tail=True)
    parent = element.getparent()
    while parent is not None and parent[0] is not element:
        del parent[0]


@lru_cache(maxsize=1024)
def same_language(tag: str | None, asked: str) -> bool:
    """True if the language `tag` of a file is what was asked for: ``en`` takes ``EN-US`` too, ``en-GB`` only itself."""
    found, wanted = ((name or "").lower().replace("_", "-") for name in (tag, asked))
    return found == wanted or found.startswith(wanted + "-")


def rewrite(path: str, *, root: str, containers: frozenset[str], edit: Edit) -> Iterator[Job]:
    """The file in stretches: `containers` are opened and closed, any other element goes out whole.

    `edit` is called with each container when it opens (and may change its attributes), and with a copy of each whole
    element, for which it may return a Job whose `write` changes that copy; what `write` returns is not used. Beside them it
    is given the parent, which stands in the file's tree. The new file is UTF-8.
    """
    yield verbatim('<?xml version="1.0" encoding="UTF-8"?>\n')
    depth = 0  # inside an element that goes out whole
    for event, element in parse(path, root=root, events=("start", "end", "comment", "pi")):
        if event == "end":
            depth -= 1
            if depth == 0:
                yield _whole(path, element, edit)
                drop(element)
            elif depth < 0:
                depth = 0
                yield verbatim(_before(None, element) + f"</{_name(element)}>")
                drop(element)
        elif depth:
            depth += event == "start"
        elif event == "start" and local(element) in containers:
            edit(element, element.getparent())
            doctype = element.getroottree().docinfo.doctype if element.getparent() is None else ""
            yield verbatim(
                (doctype and doctype + "\n") + _before(element, element.getparent()) + _opening(path, element)
            )
        elif event == "start":
            depth = 1
            yield verbatim(_before(element, element.getparent()))
        else:
            yield verbatim(_before(element, element.getparent()) + _markup(element))
            if element.getparent() is None:
                yield verbatim("\n")
    yield verbatim("\n")


def _whole(path: str, element: Any, edit: Edit) -> Job:
    known = dict(element.getparent().nsmap)
    own = copy.deepcopy(element)
    own.tail = None
    job = edit(own, element.getparent())
    if job is None:
        return verbatim(_markup(own, known))
    edited = job

    def write(translations: list[str]) -> str:
        edited.write(translations)
        return _markup(own, known)

    return Job(edited.texts, write, edited.kept, f"{path}:{element.sourceline}")


def _before(element: Any | None, parent: Any | None) -> str:
    """The character data between `element` (or the end of `parent`) and what stands before it in `parent`."""
    if parent is None:
        return ""
    previous = element.getprevious() if element is not None else next(iter(parent[-1:]), None)
    return escape((parent.text if previous is None else previous.tail) or "")


def _name(element: Any) -> str:
    return f"{element.prefix}:{local(element)}" if element.prefix else local(element)


def _opening(path: str, element: Any) -> str:
    from lxml import etree

    parent = element.getparent()
    try:
        alone = etree.Element(element.tag, element.attrib, nsmap=element.nsmap)
    except ValueError as error:  # the parser takes what the serialiser refuses
        raise CorpusError(f"{path}:{element.sourceline}: <{local(element)}> cannot be written again: {error}") from None
    return _markup(alone, {} if parent is None else dict(parent.nsmap)).removesuffix("/>") + ">"


def _markup(element: Any, known: dict[str | None, str] | None = None) -> str:
    """An element as text, without the namespace declarations that are in force where it goes."""
    from lxml import etree

    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    head, end, rest = text.partition(">")
    for prefix, uri in (known or {}).items():
        name = f"xmlns:{prefix}" if prefix else "xmlns"
        head = head.replace(f' {name}="{escape(uri)}"', "", 1)
    return head + end + rest
