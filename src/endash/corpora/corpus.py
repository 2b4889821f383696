"""A corpus as a recipe describes it: readers, filters, and parts that share no source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from endash.config import Config
from endash.corpora import formats as formats  # noqa: PLC0414  (registers the readers)
from endash.corpora.filters import EmptyConfig, filters
from endash.corpora.formats.table import TableConfig
from endash.corpora.keys import record_digest
from endash.corpora.readers import readers
from endash.corpora.record import BadLine, Record, excerpt
from endash.corpora.report import SHOWN, CorpusReport
from endash.errors import CorpusError

Part = Literal["train", "valid", "test"]
Fault = Callable[[Record], str | None]  # why a record cannot be learned from, None if it can
_OVER: dict[Part, tuple[Part, ...]] = {"train": ("valid", "test"), "valid": ("test",), "test": ()}  # who holds out
_ENOUGH = 100  # lines read before the share of bad ones is judged; it is judged again at the end
# why a split may put all into the other parts
_ALIKE = (
    ". Records with the same key are in one part, and a source's key is its letters alone: where sources differ in digits or "
    'punctuation, name a column that tells them apart, as key = "id"; where there are few, raise the share in corpus.split'
)


# also of kinds that are registered later, by a plugin
ReaderConfig = Annotated[SerializeAsAny[Config], readers.field()]
FilterConfig = Annotated[SerializeAsAny[Config], filters.field()]
ReaderConfigs = Annotated[
    tuple[ReaderConfig, ...],
    BeforeValidator(lambda given: tuple(given) if isinstance(given, list | tuple) else (given,)),
]


class SplitConfig(Config):
    """Settings of ``corpus.split``: which shares of the train records become the valid and the test part."""

    valid: Annotated[float, Field(ge=0, lt=1)] = 0.0
    test: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.valid + self.test >= 1:
            raise ValueError(
                f"valid = {self.valid} and test = {self.test} leave nothing to train on: their sum must be below 1"
            )
        return self


class CorpusConfig(Config):
    """Section ``[corpus]`` of a recipe.

    `train`, `valid` and `test` are a reader each, or a list of readers. The list for `train` is empty in the recipe of a model
    that was made elsewhere, of a corpus that is not known; such a recipe trains nothing. Without `valid`, `test` and `split`, 5 % of `train`
    become valid and 5 % test. `max_bad` is the share of bad lines past which reading stops.
    """

    train: ReaderConfigs
    valid: ReaderConfigs = ()
    test: ReaderConfigs = ()
    split: SplitConfig | None = None
    filters: tuple[FilterConfig, ...] = (EmptyConfig(),)
    max_bad: Annotated[float, Field(ge=0, le=1)] = 0.01

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        for part in ("valid", "test"):
            if self.split is not None and getattr(self, part) and getattr(self.split, part):
                raise ValueError(
                    f"{part} comes from a file and from the split: leave out one of {part} and split.{part}"
                )
        return self

    def shares(self) -> SplitConfig:
        """The split in force."""
        if self.split is not None:
            return self.split
        return SplitConfig() if self.valid or self.test else SplitConfig(valid=0.05, test=0.05)


class Corpus:
    """The records of one part, read anew and in the same order each time it is iterated; never held in memory.

    Which part of a split a record is in depends on nothing but its key, or where it has none that of its source (`source_key`),
    so no two parts share a source or a near-duplicate of one. Where valid and test are files, records with a key of theirs are
    left out of train, and those with a key of test out of valid. The filters work on what comes from `train`, split or not;
    given valid and test files stay as they are. What is left is asked for its `fault`: a record for which that gives a reason is
    a bad line like those that cannot be read. In train a record comes as many `times` as its table says. `report` is that
    of the last whole pass. Raises CorpusError if the part does not exist or keys hold nothing out of it, and at the end of a pass
    that kept nothing.
    """

    def __init__(self, config: CorpusConfig, part: Part = "train", *, fault: Fault | None = None) -> None:
        self.config = config
        self.part = part
        self.fault = fault
        self.report = CorpusReport(part)
        self._given = getattr(config, part)  # readers of this part's own; empty if it comes out of train
        self._shares = config.shares()
        if not config.train and (part == "train" or not self._given):
            raise CorpusError(
                'corpus.train is empty: name what to train on, as corpus.train = { kind = "tsv", path = "…" }'
            )
        if not self._given and not getattr(self._shares, part):
            raise CorpusError(
                f"the corpus has no {part} part: give it corpus.{part}, or a share, as corpus.split.{part} = 0.05"
            )
        for other in _OVER[part]:
            _check_keys(part if self._given else "train", self._given or config.train, other, getattr(config, other))
        self._held_out: frozenset[int] | None = None

    def __iter__(self) -> Iterator[Record]:
        tally = _Tally(self.part, self.config.max_bad)
        from_train = self.part == "train" or not self._given
        chain = [(filters.build(config), _kind(config)) for config in self.config.filters] if from_train else []
        dropped = dict.fromkeys((kind for _, kind in chain), 0)
        held_out = elsewhere = kept = 0
        others = self._keys_of_others()
        for record in tally.records(self._given if not from_train else self.config.train):
            key = record_digest(record)
            if from_train and self._part_of(key) != self.part:
                elsewhere += 1
            elif key in others:
                held_out += 1
            elif kind := next((kind for filter_, kind in chain if not filter_.keeps(record)), None):
                dropped[kind] += 1
            elif self.fault is None or not tally.refuses(record, self.fault):
                kept += 1
                for _ in range(tally.times if self.part == "train" else 1):
                    yield record
        self.report = tally.report(kept, dropped, held_out, elsewhere)
        if not kept:
            advice = _ALIKE if elsewhere and elsewhere == tally.read else ""
            raise CorpusError(
                f"no record is left; check the files, filters and split of the corpus{advice}:\n{self.report}"
            )

    def _part_of(self, key: int) -> Part:
        place = key / 2**64
        if place < self._shares.test:
            return "test"
        return "valid" if place < self._shares.test + self._shares.valid else "train"

    def _keys_of_others(self) -> frozenset[int]:
        """The keys of the files that hold out their sources from this part."""
        if self._held_out is None:
            self._held_out = frozenset(
                record_digest(record)
                for part in _OVER[self.part]
                for record in _Tally(part, self.config.max_bad).records(getattr(self.config, part))
            )
        return self._held_out


class _Tally:
    """Counts lines as they are read, and stops when too many are bad."""

    def __init__(self, part: str, max_bad: float) -> None:
        self.part, self.max_bad = part, max_bad
        self.read = self.bad = 0
        self.times = 1  # of the table that the last record read is in
        self.shown: list[BadLine] = []

    def records(self, configs: Iterable[Config]) -> Iterator[Record]:
        for config in configs:
            self.times = config.times if isinstance(config, TableConfig) else 1
            for item in readers.build(config).read():
                if isinstance(item, Record):
                    self.read += 1
                    yield item
                else:
                    self._add(item)
        self._judge()

    def refuses(self, record: Record, fault: Fault) -> bool:
        """True if the last record read has a fault: it is then a bad line."""
        reason = fault(record)
        if reason is not None:
            self.read -= 1
            self._add(BadLine(record.where, reason, excerpt(record.source)))
        return reason is not None

    def _add(self, line: BadLine) -> None:
        self.bad += 1
        self.shown += [line] if len(self.shown) < SHOWN else []
        if self.read + self.bad >= _ENOUGH:
            self._judge()

    def _judge(self) -> None:
        total = self.read + self.bad
        if total and self.bad > self.max_bad * total:
            shown = "\n".join(f"  {line}" for line in self.shown)
            raise CorpusError(
                f"{self.bad:,} of {total:,} lines of the {self.part} part are bad, and corpus.max_bad = {self.max_bad:g} "
                f"allows {self.max_bad:.1%}: mend them or leave them out, or raise corpus.max_bad in the recipe that you train; the first:\n{shown}"
            )

    def report(self, kept: int, dropped: dict[str, int], held_out: int, elsewhere: int) -> CorpusReport:
        return CorpusReport(self.part, self.read, kept, self.bad, tuple(self.shown), dropped, held_out, elsewhere)


def _check_keys(part: Part, mine: tuple[Config, ...], other: Part, others: tuple[Config, ...]) -> None:
    """Raise CorpusError where nothing of `other` can be held out of `part`, for all readers of one have a key, and none of the other."""
    keyed, other_keyed = ({getattr(one, "key", None) not in (None, "") for one in side} for side in (mine, others))
    if keyed and other_keyed and keyed.isdisjoint(other_keyed):
        has, has_not = (part, other) if True in keyed else (other, part)
        raise CorpusError(
            f"corpus.{has} has a key and corpus.{has_not} has none, so nothing of corpus.{other} would be held out of corpus.{part}: "
            f"set the key that means the same in corpus.{has_not}, or leave it out of corpus.{has}"
        )


def _kind(config: Config) -> str:
    return str(getattr(config, "kind"))  # noqa: B009  (every registered Config has a kind)
