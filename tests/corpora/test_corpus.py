"""The corpus of a recipe: bad lines, filters, and parts that share no source."""

import hashlib
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from endash.config import Config
from endash.corpora import BadLine, Corpus, CorpusConfig, Part, Reader, Record, filters, readers
from endash.corpora.filters import Filter
from endash.corpora.keys import digest, record_digest, source_key
from endash.errors import CorpusError

WORDS = [
    "open",
    "close",
    "save",
    "load",
    "print",
    "file",
    "door",
    "light",
    "window",
    "menu",
    "user",
    "name",
    "list",
    "item",
    "page",
]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


def config(**settings: Any) -> CorpusConfig:
    return CorpusConfig.model_validate_json(json.dumps(settings))


def table(path: Path, rows: list[str]) -> dict[str, str]:
    path.write_text("".join(f"{row}\n" for row in ["en\tde", *rows]))
    return {"kind": "tsv", "path": str(path), "source": "en", "target": "de"}


def many() -> list[str]:
    sources = [f"{a} {b} {c}" for a, b, c in itertools.product(WORDS, repeat=3)]
    return [f"{source}\tÜ {source}" for source in sources] + [f"{s.upper()} {{n}} 7!\tx" for s in sources[:500]]


def test_train_is_split_by_hash_in_the_shares_asked_for(tmp_path: Path) -> None:
    settings = config(train=table(tmp_path / "a.tsv", many()), split={"valid": 0.1, "test": 0.2})
    parts = {part: list(Corpus(settings, part)) for part in PARTS}
    sizes = {part: len(records) for part, records in parts.items()}
    assert sum(sizes.values()) == len(many())
    assert 0.08 < sizes["valid"] / len(many()) < 0.12  # 3,375 keys: a standard error of 0.5 %
    assert 0.17 < sizes["test"] / len(many()) < 0.23
    keys = {part: {source_key(record.source) for record in records} for part, records in parts.items()}
    assert not keys["train"] & keys["valid"]
    assert not keys["train"] & keys["test"]
    assert not keys["valid"] & keys["test"]


def test_the_split_depends_on_neither_order_nor_run(tmp_path: Path) -> None:
    rows = many()
    first = {record.source for record in Corpus(config(train=table(tmp_path / "a.tsv", rows)), "valid")}
    random.Random(1).shuffle(rows)
    corpus = Corpus(config(train=table(tmp_path / "b.tsv", rows)), "valid")
    assert {record.source for record in corpus} == first
    assert list(corpus) == list(corpus)


def test_a_record_goes_by_its_key_and_without_one_by_its_source_s_letters() -> None:
    assert record_digest(Record("Open {x} 3", "a")) == record_digest(Record("open", "b")) == digest("open")
    assert record_digest(Record("open", "a", key="Open 3")) == digest("Open 3")


@pytest.mark.parametrize("source", ["open the door", "Öffne {name}: 3 Türen!", "", "%d %%"])
def test_the_part_is_the_first_eight_bytes_of_blake2b(tmp_path: Path, source: str) -> None:
    """So that a corpus is split tomorrow as it was: written out here by hand."""
    letters = {"open the door": "openthedoor", "Öffne {name}: 3 Türen!": "öffnetüren"}.get(source, "")
    place = int.from_bytes(hashlib.blake2b(letters.encode(), digest_size=8).digest(), "big") / 2**64
    expected = "test" if place < 0.3 else "valid" if place < 0.6 else "train"
    settings = config(
        train=table(tmp_path / "a.tsv", [f"{source}	x"]), split={"valid": 0.3, "test": 0.3}, filters=[]
    )
    for part in PARTS:
        if part == expected:
            assert [record.source for record in Corpus(settings, part)] == [source]
        else:
            with pytest.raises(CorpusError, match="no record is left"):
                list(Corpus(settings, part))


def test_a_key_is_the_same_in_every_process() -> None:
    """A set's order is not: of the placeholders below, one is part of another."""
    for name in WORDS:
        assert source_key(f'<a href="{{{name}}}">Press {{{name}}}</a>') == "press"


def test_without_files_or_split_five_per_cent_each_are_held_out(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", ["a\tb"])
    assert config(train=train).shares().model_dump() == {"valid": 0.05, "test": 0.05}
    assert config(train=train, valid=train).shares().model_dump() == {"valid": 0.0, "test": 0.0}
    assert config(train=train, split={"test": 0.1}).shares().model_dump() == {"valid": 0.0, "test": 0.1}
    with pytest.raises(
        CorpusError, match=r"the corpus has no test part: give it corpus.test, or a share, as corpus.split.test"
    ):
        Corpus(config(train=train, valid=train), "test")


def test_sources_of_given_files_are_held_out_of_train(tmp_path: Path) -> None:
    settings = config(
        train=[
            table(tmp_path / "a.tsv", ["Open {x}\t1", "Close\t2"]),
            table(tmp_path / "b.tsv", ["Save\t3", "Load\t4"]),
        ],
        valid=table(tmp_path / "v.tsv", ["open %s!\tv", "SAVE 3\tw", "\tkept as it is"]),
        test=table(tmp_path / "t.tsv", ["save\tt"]),
    )
    train, valid, test = (Corpus(settings, part) for part in PARTS)
    assert [record.source for record in train] == ["Close", "Load"]
    assert (train.report.read, train.report.kept, train.report.held_out) == (4, 2, 2)
    assert [record.source for record in valid] == ["open %s!", ""]
    assert valid.report.held_out == 1
    assert [record.source for record in test] == ["save"]


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_key_that_one_side_alone_has_holds_nothing_out_and_is_refused(part: Part, tmp_path: Path) -> None:
    one, other = table(tmp_path / "a.tsv", ["a\tA", "b\tB"]), table(tmp_path / "b.tsv", ["a\tA"])
    for train, given, has, has_not in (
        (one | {"key": "en"}, other, "train", part),
        (one, other | {"key": "de"}, part, "train"),
    ):
        with pytest.raises(
            CorpusError, match=rf"^corpus.{has} has a key and corpus.{has_not} has none, .*of corpus.{part} would"
        ):
            Corpus(config(train=train, **{part: given}))
        Corpus(config(train=train, **{part: given}), part)
    with pytest.raises(CorpusError, match=r"corpus.valid has a key .* nothing of corpus.test .* out of corpus.valid"):
        Corpus(config(train=one, valid=one | {"key": "en"}, test=other), "valid")
    keyed = [one | {"key": "en"}, other]
    assert [record.source for record in Corpus(config(train=keyed, **{part: other | {"key": "en"}}))] == ["b"]


def test_a_record_counts_times_over_in_train_alone_and_after_the_filters(tmp_path: Path) -> None:
    weighed = table(tmp_path / "a.tsv", ["a\tA", "a\tA", "b\tB"]) | {"times": 3}
    settings = config(
        train=[weighed, table(tmp_path / "b.tsv", ["c\tC"])],
        valid=table(tmp_path / "v.tsv", ["v\tV"]) | {"times": 2},
        filters=[{"kind": "duplicates"}],
    )
    train = Corpus(settings)
    assert [record.source for record in train] == ["a"] * 3 + ["b"] * 3 + ["c"]
    assert (train.report.read, train.report.kept, train.report.dropped) == (4, 3, {"duplicates": 1})
    assert [record.source for record in Corpus(settings, "valid")] == ["v"]


def test_filters_report_what_they_dropped(tmp_path: Path) -> None:
    corpus = Corpus(
        config(
            train=table(tmp_path / "a.tsv", ["a\tb", "\tb", "a\tb", "c\tC", "d\te", "f\t"]),
            filters=[{"kind": "empty"}, {"kind": "duplicates"}, {"kind": "untranslated"}, {"kind": "placeholders"}],
            split={},
        )
    )
    assert [record.source for record in corpus] == ["a", "d"]
    assert corpus.report.dropped == {"empty": 2, "duplicates": 1, "untranslated": 1, "placeholders": 0}
    assert [record.source for record in corpus] == ["a", "d"]  # a second pass starts anew
    assert str(corpus.report) == (
        "train: 2 of 6 records kept\n  2 dropped by empty\n  1 dropped by duplicates\n  1 dropped by untranslated\n"
        "  0 dropped by placeholders"
    )


def test_bad_lines_are_counted_and_shown(tmp_path: Path) -> None:
    rows = [f"{word}\tx" for word in many()[:1200]]
    train = table(tmp_path / "a.tsv", [row.split("\t")[0] + "\tx" for row in rows])
    path = Path(train["path"])
    path.write_bytes(path.read_bytes() + b"broken\n" * 12)
    corpus = Corpus(config(train=train, split={}))
    assert len(list(corpus)) == 1200
    assert (corpus.report.bad, len(corpus.report.shown)) == (12, 10)
    assert str(corpus.report.shown[0]) == f"{path}:1202: 1 columns where the header has 2: 'broken'"
    assert "12 bad lines, the first:" in str(corpus.report)


def test_too_many_bad_lines_stop_the_corpus_with_the_first_of_them(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", ["a\tb"] * 90 + ["broken"] * 10 + ["c\td"] * 10_000)
    corpus = Corpus(config(train=train, split={}))
    taken = []
    with pytest.raises(
        CorpusError, match=r"10 of 100 lines of the train part are bad, and corpus.max_bad = 0.01 allows 1.0%"
    ) as caught:
        taken.extend(corpus)
    assert "leave them out, or raise corpus.max_bad in the recipe that you train; the first:" in str(caught.value)
    assert f"{train['path']}:92: 1 columns where the header has 2: 'broken'" in str(caught.value)
    assert len(list(Corpus(config(train=train, split={}, max_bad=0.2)))) == 10_090


def no_shouting(record: Record) -> str | None:
    return f"{record.source!r} is shouted" if record.source.isupper() else None


def test_records_with_a_fault_are_bad_lines(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", ["a\tb", "B\tb", "broken", "\tx", "C\t", "d\te"])
    corpus = Corpus(config(train=train, split={}, max_bad=0.5), fault=no_shouting)
    assert [record.source for record in corpus] == ["a", "d"]
    assert str(corpus.report) == (
        "train: 2 of 4 records kept\n  2 dropped by empty\n  2 bad lines:\n"
        f"    {train['path']}:3: 'B' is shouted: 'B'\n"
        f"    {train['path']}:4: 1 columns where the header has 2: 'broken'"
    )
    with pytest.raises(CorpusError, match=r"(?s)2 of 6 lines of the train part are bad, .*:3: 'B' is shouted"):
        list(Corpus(config(train=train, split={}, max_bad=0.3), fault=no_shouting))


def test_a_fault_is_sought_in_a_part_s_own_records_alone(tmp_path: Path) -> None:
    settings = config(
        train=table(tmp_path / "a.tsv", ["a\tb", "B\tb", "C\tb"]), valid=table(tmp_path / "v.tsv", ["B\tb", "d\te"])
    )
    asked = []

    def ask(record: Record) -> None:
        asked.append(record.source)

    assert [record.source for record in Corpus(settings, "train", fault=ask)] == ["a", "C"] == asked
    with pytest.raises(CorpusError, match=r"(?s)1 of 2 lines of the valid part are bad.*v.tsv:2: 'B' is shouted"):
        list(Corpus(settings, "valid", fault=no_shouting))


def test_many_faults_stop_the_corpus_early(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", [f"{word}\tx" for word in WORDS * 10] + ["A\tx"] * 3 + ["b\tx"] * 10_000)
    taken = []
    with pytest.raises(CorpusError, match="2 of 152 lines of the train part are bad"):
        taken.extend(Corpus(config(train=train, split={}), fault=no_shouting))


def test_a_short_corpus_is_judged_at_its_end(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", ["broken", "a\tb", "c\td"])
    with pytest.raises(CorpusError, match="1 of 3 lines"):
        list(Corpus(config(train=train, split={})))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": {"valid": 0.5, "test": 0.5}}, r"leave nothing to train on: their sum must be below 1"),
        ({"split": {"valid": 1.0}}, "less than 1"),
        ({"split": {"valid": 0.1}, "valid": {"kind": "mo", "path": "x"}}, "valid comes from a file and from the split"),
        ({"train": {"kind": "tvs", "path": "x"}}, "Input tag 'tvs' .* does not match any of the expected tags.*'tsv'"),
        ({"filters": [{"kind": "emty"}]}, "Input tag 'emty' .* does not match any of the expected tags.*'empty'"),
        (
            {"train": {"kind": "tsv", "path": "x", "colour": 1}},
            "(?s)train.0.colour.*Extra inputs are not permitted",
        ),
    ],
)
def test_a_wrong_section_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**{"train": {"kind": "mo", "path": "x"}, **settings})


def test_a_section_survives_being_written_and_read() -> None:
    section = config(
        train=[{"kind": "tsv", "path": "a", "source": 0, "target": 1, "header": False}, {"kind": "po", "path": "b"}],
        filters=[{"kind": "too_long", "words": 9}],
    )
    assert CorpusConfig.model_validate_json(section.model_dump_json()) == section
    assert section.model_dump()["train"][0]["header"] is False


def test_every_kind_is_registered() -> None:
    assert list(readers) == [
        *("catalogue", "dialogue", "jsonl", "lines", "mo"),
        *("plain", "po", "tmx", "tsv", "xliff"),
    ]
    assert list(filters) == [
        "duplicates",
        "empty",
        "length_ratio",
        "placeholders",
        "too_long",
        "untranslated",
        "wrong_script",
    ]


@pytest.fixture
def of_my_own() -> Iterator[None]:
    """A reader and a filter that are registered after the settings of a corpus, as a plugin's are."""

    class CountedConfig(Config):
        kind: Literal["counted"] = "counted"
        records: int

    @readers.register
    class Counted(Reader):
        Config = CountedConfig

        def read(self) -> Iterator[Record | BadLine]:
            return (Record(f"{WORDS[number]}", str(number)) for number in range(self.config.records))

    class OddConfig(Config):
        kind: Literal["odd"] = "odd"

    @filters.register
    class Odd(Filter):
        Config = OddConfig

        def keeps(self, record: Record) -> bool:
            return int(record.target) % 2 == 1

    yield
    del readers._classes["counted"], filters._classes["odd"]


@pytest.mark.usefixtures("of_my_own")
def test_a_reader_and_a_filter_of_one_s_own_are_named_as_others_are() -> None:
    settings = config(train={"kind": "counted", "records": 6}, split={}, filters=[{"kind": "odd"}])
    assert [record.target for record in Corpus(settings)] == ["1", "3", "5"]
    assert config(**json.loads(settings.model_dump_json())) == settings
    with pytest.raises(ValidationError, match=r"(?s)train.0.records.*Input should be a valid integer"):
        config(train={"kind": "counted", "records": "six"})


def test_a_corpus_streams(tmp_path: Path) -> None:
    import tracemalloc

    train = table(tmp_path / "a.tsv", [f"{'x' * 1000} {i}\t{'y' * 1000}" for i in range(2_000)])
    tracemalloc.start()
    assert sum(1 for _ in Corpus(config(train=train, split={}))) == 2_000
    assert tracemalloc.get_traced_memory()[1] < 1_000_000  # the file is 4 MB
    tracemalloc.stop()


def test_records_that_differ_in_digits_alone_are_told_of_the_key(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", [f"item {number}\tA" for number in range(600)])
    with pytest.raises(CorpusError) as caught:
        list(Corpus(config(train=train), "valid"))
    assert 'differ in digits or punctuation, name a column that tells them apart, as key = "id"' in str(caught.value)
    assert "600 in the other parts of the split" in str(caught.value)


def test_a_part_with_nothing_left_says_where_it_went(tmp_path: Path) -> None:
    train = table(tmp_path / "a.tsv", ["a\tA", "b\tB"])
    with pytest.raises(CorpusError, match=r"no record is left; check the files, .*(?s:.)*2 dropped by untranslated"):
        list(Corpus(config(train=train, split={}, filters=[{"kind": "untranslated"}])))


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_corpus_that_is_not_known_gives_nothing_to_train_on(part: Any) -> None:
    with pytest.raises(
        CorpusError, match=r"^corpus\.train is empty: name what to train on, as corpus\.train = \{ kind"
    ):
        Corpus(CorpusConfig(train=()), part)
