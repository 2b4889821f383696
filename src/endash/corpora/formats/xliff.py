"""XLIFF 1.2 and 2.x, the exchange format of localisation, read and written as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.readers import Job, Reader, readers
from endash.corpora.record import BadLine, Record
from endash.corpora.scripts import known_language
from endash.corpora.segments import Segment, fill, flatten, local
from endash.corpora.xml import drop, parse, rewrite, same_language
from endash.errors import CorpusError

_UNITS = frozenset(("trans-unit", "unit"))
_CONTAINERS = frozenset(("xliff", "file", "body", "group"))
# states in which a target is a stand-in: of XLIFF 1.2's target, and of XLIFF 2's segment
_STAND_INS = frozenset(("new", "needs-translation", "initial"))


class XliffConfig(Config):
    """Settings of the reader `xliff`: languages are only needed to check, or choose among, what the file says."""

    kind: Literal["xliff"] = "xliff"
    path: str = Field(min_length=1)
    source: str | None = None
    target: str | None = None


@readers.register
class Xliff(Reader):
    """Reads translated units; those without a target, or with a stand-in (state ``new``, ``initial``), are passed over."""

    Config = XliffConfig
    leaves_out = True
    config: XliffConfig

    def read(self) -> Iterator[Record | BadLine]:
        """A record for each unit (1.2) or segment (2.x). Raises CorpusError if no file element has the languages."""
        seen: list[str] = []
        skipped = fits = False
        for event, element in parse(self.config.path, root="xliff", tags=("file", *_UNITS)):
            name = local(element)
            if event == "start":
                if name == "file":
                    skipped = not self._fits(element)
                    fits = fits or not skipped
                    seen.append(" → ".join(language or "?" for language in _languages(element)))
            elif name != "file":
                if not skipped:
                    yield from self._records(element)
                drop(element)
        if seen and not fits:
            raise CorpusError(
                f"{self.config.path} holds {', '.join(sorted(set(seen)))}, and not "
                f"{self.config.source or 'any'} → {self.config.target or 'any'}: ask for what it holds"
            )

    def target_language(self) -> str | None:
        """That asked for, or of the first file element."""
        if self.config.target is not None:
            return super().target_language()
        events = parse(self.config.path, root="xliff", tags=("file",))
        return next((known_language(_languages(element)[1]) for _, element in events), None)

    def _records(self, unit: Any) -> Iterator[Record | BadLine]:
        where = f"{self.config.path}:{unit.sourceline}"
        for holder in _holders(unit):
            source, target = holder.find("{*}source"), holder.find("{*}target")
            if source is None:
                yield BadLine(where, f"{local(holder)} {unit.get('id', '')!r} has no source")
            elif target is not None and not _is_stand_in(holder, target):
                yield Record(flatten(source).text, flatten(target).text, where)

    def _fits(self, element: Any) -> bool:
        source, target = _languages(element)
        asked = ((source, self.config.source), (target, self.config.target))
        return all(wanted is None or found is None or same_language(found, wanted) for found, wanted in asked)

    def jobs(self) -> Iterator[Job]:
        """Each unit with its target set; translated ones and those marked ``translate="no"`` stay as they are."""
        return rewrite(self.config.path, root="xliff", containers=_CONTAINERS, edit=self._edit)

    def _edit(self, element: Any, parent: Any) -> Job | None:
        name = local(element)
        if name in _CONTAINERS:
            self._name_target(element, name)
        if name not in _UNITS or _is_frozen(element, parent) or not self._fits(_file_of(parent)):
            return None
        holders = [holder for holder in _holders(element) if holder.find("{*}source") is not None]
        todo = [holder for holder in holders if _is_stand_in(holder, holder.find("{*}target"))]
        segments = [flatten(holder.find("{*}source")) for holder in todo]
        return Job(tuple(segment.text for segment in segments), _writer(todo, segments), len(holders) - len(todo))

    def _name_target(self, element: Any, name: str) -> None:
        """Write the target language where the format wants it, if it is not there."""
        attribute, holder = ("trgLang", "xliff") if _is_second(element) else ("target-language", "file")
        if name != holder or element.get(attribute) is not None:
            return
        if self.config.target is not None:
            element.set(attribute, self.config.target)
        elif attribute == "trgLang":  # which 2.x demands where targets are
            path = self.config.path
            raise CorpusError(f"{path} names no target language: name both, as in {path}:en,de")


def _file_of(element: Any) -> Any:
    return element if local(element) == "file" else next(element.iterancestors("{*}file"), element)


def _is_frozen(unit: Any, parent: Any) -> bool:
    """True if the nearest ``translate`` attribute says no."""
    chain = (unit, parent, *parent.iterancestors())
    return next((holder.get("translate") for holder in chain if holder.get("translate")), "yes") == "no"


def _writer(todo: list[Any], segments: list[Segment]) -> Any:
    def write(translations: list[str]) -> str:
        for holder, segment, translation in zip(todo, segments, translations, strict=True):
            target = _target_of(holder)
            fill(target, translation, segment.inlines)
            (holder if local(holder) == "segment" else target).set("state", "translated")
        return ""

    return write


def _target_of(holder: Any) -> Any:
    """The target element of a unit or segment, made behind its source if it is not there."""
    from lxml import etree

    target = holder.find("{*}target")
    if target is None:
        source = holder.find("{*}source")
        before = holder.find("{*}seg-source") if holder.find("{*}seg-source") is not None else source
        target = etree.SubElement(holder, source.tag.replace("source", "target"))
        tail = before.tail
        before.addnext(target)
        before.tail, target.tail = holder.text, tail
    return target


def _holders(unit: Any) -> list[Any]:
    """The elements that hold a source and a target: the unit itself in 1.2, its segments in 2.x."""
    return [unit] if local(unit) == "trans-unit" else [child for child in unit if local(child) == "segment"]


def _is_second(element: Any) -> bool:
    """True in XLIFF 2.x, which names the languages on its outermost element."""
    root = element.getroottree().getroot()
    return bool(root.get("version", "").startswith("2"))


def _languages(file: Any) -> tuple[str | None, str | None]:
    """Source and target language that hold for a file element."""
    if _is_second(file):
        root = file.getroottree().getroot()
        return root.get("srcLang"), root.get("trgLang")
    return file.get("source-language"), file.get("target-language")


def _is_stand_in(holder: Any, target: Any | None) -> bool:
    """True if a unit is not translated: no target, an empty one, or one whose state says so."""
    if target is None or not (len(target) or (target.text or "").strip()):
        return True
    state = holder.get("state") if local(holder) == "segment" else target.get("state")
    return state in _STAND_INS
