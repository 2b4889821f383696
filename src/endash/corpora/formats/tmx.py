"""TMX 1.4, the exchange format of translation memories, read and written as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.readers import Job, Reader, readers
from endash.corpora.record import BadLine, Record
from endash.corpora.scripts import known_language
from endash.corpora.segments import fill, flatten, local
from endash.corpora.xml import LANG, drop, parse, rewrite, same_language
from endash.errors import CorpusError, nearest


class TmxConfig(Config):
    """Settings of the reader `tmx`: languages; without them the header's source, and the only other language."""

    kind: Literal["tmx"] = "tmx"
    path: str = Field(min_length=1)
    source: str | None = None
    target: str | None = None


@readers.register
class Tmx(Reader):
    """Reads the units (``tu``) that hold both languages; units without one of them are passed over."""

    Config = TmxConfig
    leaves_out = True
    config: TmxConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._default: str | None = None  # the header's source language
        self._seen: set[str] = set()

    def read(self) -> Iterator[Record | BadLine]:
        """The pairs in the file's order. Raises CorpusError if no unit holds the languages asked for."""
        self._default, self._seen = self.config.source, set()
        found = False
        for _, element in parse(self.config.path, root="tmx", tags=("header", "tu"), events=("end",)):
            if local(element) == "header":
                self._header(element)
            elif local(element) == "tu":
                record = self._record(element)
                found = found or record is not None
                if record is not None:
                    yield record
                drop(element)
        if self._seen and not found:
            asked = " and ".join(name or "another language" for name in (self._default, self.config.target))
            raise CorpusError(
                f"{self.config.path}: no unit holds both {asked}: {nearest(self.config.target or '', self._seen)}"
            )

    def target_language(self) -> str | None:
        """That asked for, or the other one of the file's two."""
        if self.config.target is not None:
            return super().target_language()
        next(self.read(), None)
        others = [language for language in sorted(self._seen) if not same_language(language, self._default or "")]
        return known_language(others[0]) if others else None

    def jobs(self) -> Iterator[Job]:
        """Each unit with its target variant (``tuv``) replaced or added."""
        self._default, self._seen = self.config.source, set()
        return rewrite(self.config.path, root="tmx", containers=frozenset(("tmx", "body")), edit=self._edit)

    def _header(self, element: Any) -> None:
        language = element.get("srclang")
        if self._default is None and language and language != "*all*":
            self._default = language

    def _record(self, unit: Any) -> Record | BadLine | None:
        where = f"{self.config.path}:{unit.sourceline}"
        variants = self._variants(unit)
        source, target = self._source(variants, where), self._target(variants, where)
        if source is None or target is None:
            return None
        texts = [variant.find("{*}seg") for variant in (source, target)]
        if texts[0] is None or texts[1] is None:
            return BadLine(where, "a tuv without a seg")
        return Record(flatten(texts[0]).text, flatten(texts[1]).text, where)

    def _edit(self, element: Any, parent: Any) -> Job | None:
        if local(element) == "header":
            self._header(element)
        if local(element) != "tu":
            return None
        where = f"{self.config.path}: unit {element.get('tuid', '')}".rstrip()
        variants = self._variants(element)
        source, target = self._source(variants, where), self._target(variants, where)
        seg = None if source is None else source.find("{*}seg")
        if seg is None:
            return None
        language = self.config.target or (None if target is None else self._language(target))
        if language is None:
            raise CorpusError(f"{where}: which language to translate to? name both: {self.config.path}:en,de")
        segment = flatten(seg)

        def write(translations: list[str]) -> str:
            fill(_seg_of(element, source, target, language), translations[0], segment.inlines)
            return ""

        return Job((segment.text,), write)

    def _variants(self, unit: Any) -> list[Any]:
        variants = [child for child in unit if local(child) == "tuv"]
        self._seen.update(filter(None, map(self._language, variants)))
        return variants

    @staticmethod
    def _language(variant: Any) -> str | None:
        found: str | None = variant.get(LANG) or variant.get("lang")  # TMX 1.1 wrote lang
        return found

    def _pick(self, variants: list[Any], asked: str) -> Any | None:
        fitting = [variant for variant in variants if same_language(self._language(variant), asked)]
        exact = [variant for variant in fitting if (self._language(variant) or "").lower() == asked.lower()]
        return next(iter(exact or fitting), None)

    def _source(self, variants: list[Any], where: str) -> Any | None:
        if self._default is None:
            raise CorpusError(
                f"{where}: the header names no source language: name both, as in {self.config.path}:en,de"
            )
        return self._pick(variants, self._default)

    def _target(self, variants: list[Any], where: str) -> Any | None:
        if self.config.target is not None:
            return self._pick(variants, self.config.target)
        others = [variant for variant in variants if not same_language(self._language(variant), self._default or "")]
        languages = {self._language(variant) for variant in others}
        if len(languages) > 1:
            names = ", ".join(sorted(name or "?" for name in languages))
            raise CorpusError(
                f"{where} has several target languages, {names}: name both, as in {self.config.path}:en,de"
            )
        return others[0] if others else None


def _seg_of(unit: Any, source: Any, target: Any | None, language: str) -> Any:
    """The target's seg element, made if it is not there."""
    from lxml import etree

    namespace = unit.tag.rpartition("tu")[0]
    if target is None:
        target = etree.SubElement(unit, f"{namespace}tuv", {LANG if source.get(LANG) else "lang": language})
        target.tail, source_tail = source.tail, (unit.text or "")
        previous = target.getprevious()
        target.tail, previous.tail = previous.tail, source_tail
    seg = target.find("{*}seg")
    return etree.SubElement(target, f"{namespace}seg") if seg is None else seg
