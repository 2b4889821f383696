"""Filters: which records of a corpus are kept. A class each, chosen by kind in a recipe's ``corpus.filters``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from endash.config import Config
from endash.corpora.keys import digest, source_key
from endash.corpora.record import Record
from endash.corpora.scripts import scripts_of, share_in
from endash.corpora.seen import Seen
from endash.registry import Registry

Share = Annotated[float, Field(ge=0, le=1)]


class Filter(ABC):
    """Decides on one record after the other, in the corpus' order; made anew for each pass.

    Where several targets are right, a record stays if it would with each of them.
    """

    Config: ClassVar[type[Config]]

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def keeps(self, record: Record) -> bool:
        """True if the record stays."""


filters: Registry[Filter] = Registry("filter")


class EmptyConfig(Config):
    """Settings of the filter `empty`: it has none."""

    kind: Literal["empty"] = "empty"


@filters.register
class Empty(Filter):
    """Drops records with a side that is empty or white space."""

    Config = EmptyConfig

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        return all(side.strip() for side in (record.source, *record.references))


class TooLongConfig(Config):
    """Settings of the filter `too_long`: the most characters, the most words (between white space), or both, of a side."""

    kind: Literal["too_long"] = "too_long"
    characters: Annotated[int, Field(ge=1)] | None = None
    words: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.characters is None and self.words is None:
            raise ValueError("the filter too_long needs a limit: characters = 500, words = 80, or both")
        return self


@filters.register
class TooLong(Filter):
    """Drops records with a side past the limit."""

    Config = TooLongConfig
    config: TooLongConfig

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        characters, words = self.config.characters, self.config.words
        sides = (record.source, *record.references)
        if characters is not None and any(len(text) > characters for text in sides):
            return False
        return words is None or all(len(text.split()) <= words for text in sides)


class LengthRatioConfig(Config):
    """Settings of the filter `length_ratio`: how many times as long as the other a side may be, in characters."""

    kind: Literal["length_ratio"] = "length_ratio"
    ratio: Annotated[float, Field(gt=1)] = 4.0


@filters.register
class LengthRatio(Filter):
    """Drops records where longer + 10 > ratio · (shorter + 10), in characters.

    Ten is added to both, for a short text may well have a translation of several times its length (OK, Einverstanden).
    """

    Config = LengthRatioConfig
    config: LengthRatioConfig

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        return all(self._fits(len(record.source), len(target)) for target in record.references)

    def _fits(self, *lengths: int) -> bool:
        return max(lengths) + 10 <= self.config.ratio * (min(lengths) + 10)


class DuplicatesConfig(Config):
    """Settings of the filter `duplicates`: what has to be equal, the whole pair or the source alone."""

    kind: Literal["duplicates"] = "duplicates"
    by: Literal["pair", "source"] = "pair"


@filters.register
class Duplicates(Filter):
    """Drops records that came before. Remembers 8 bytes of each, so two of 10 million differ by mistake in 1 of 370,000 runs."""

    Config = DuplicatesConfig
    config: DuplicatesConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._seen = Seen()

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        whole, targets = self.config.by == "pair", "\n".join(record.references)
        return self._seen.add(digest(f"{len(record.source)} {record.source}{targets}" if whole else record.source))


class UntranslatedConfig(Config):
    """Settings of the filter `untranslated`: it has none."""

    kind: Literal["untranslated"] = "untranslated"


@filters.register
class Untranslated(Filter):
    """Drops records whose target has the source's letters, see `source_key`; so also those without letters."""

    Config = UntranslatedConfig

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        return source_key(record.source) not in map(source_key, record.references)


class WrongScriptConfig(Config):
    """Settings of the filter `wrong_script`.

    `source` and `target` are language codes (``zh-Hans``, ``ru``) or scripts (``greek``); `share` of a side's letters must be
    in its script. The default is low, for Chinese needs one letter where the Latin names within it need ten.
    """

    kind: Literal["wrong_script"] = "wrong_script"
    source: str | None = None
    target: str | None = None
    share: Share = 0.1

    @field_validator("source", "target")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None:
            scripts_of(name)
        return name

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.source is None and self.target is None:
            raise ValueError(
                'the filter wrong_script needs a language or a script: source = "en", target = "zh", or both'
            )
        return self


@filters.register
class WrongScript(Filter):
    """Drops records with a side that has letters, but too small a share of them in its language's scripts."""

    Config = WrongScriptConfig
    config: WrongScriptConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._scripts = tuple(None if name is None else scripts_of(name) for name in (config.source, config.target))

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        source, target = self._scripts
        return self._is_in(record.source, source) and all(self._is_in(text, target) for text in record.references)

    def _is_in(self, text: str, scripts: frozenset[str] | None) -> bool:
        from endash.text.placeholders import find_placeholders

        if scripts is None:
            return True
        for placeholder in find_placeholders(text):
            text = text.replace(placeholder, " ")
        share = share_in(text, scripts)
        return share is None or share >= self.config.share


class PlaceholdersConfig(Config):
    """Settings of the filter `placeholders`: it has none."""

    kind: Literal["placeholders"] = "placeholders"


@filters.register
class Placeholders(Filter):
    """Drops records whose sides do not hold the same placeholders, each as often, in any order."""

    Config = PlaceholdersConfig

    def keeps(self, record: Record) -> bool:
        """See `Filter`."""
        from endash.text.placeholders import find_placeholders

        found = Counter(find_placeholders(record.source))
        return all(Counter(find_placeholders(target)) == found for target in record.references)
