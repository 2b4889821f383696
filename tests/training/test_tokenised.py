from __future__ import annotations

from collections.abc import Sequence

import pytest

from endash.corpora import Record
from endash.corpora.keys import record_digest
from endash.retrieval import Neighbour, PairIndex
from endash.tasks import TranslationTask
from endash.text import SEP, Codec, TextConfig
from endash.training.tokenised import Tokenised

TASK = TranslationTask(TranslationTask.Config())
RECORDS = [Record(f"open the {thing} {{name}}", f"{thing} öffnen {{name}}") for thing in ("door", "window", "garden")]


@pytest.fixture(scope="module")
def codec() -> Codec:
    config = TextConfig(size=330, max_length=40)
    return Codec.train(lambda: ((record.source, record.target) for record in RECORDS), config)


class FewPairs:
    """Finds the same pairs for every text, and notes how it was asked."""

    def __init__(self, *found: tuple[str, str]) -> None:
        self.found = [Neighbour(source, target, 0.5) for source, target in found]
        self.asked: list[tuple[int, Sequence[int]]] = []

    def nearest(self, texts: Sequence[str], *, count: int, exclude: Sequence[int] = ()) -> list[list[Neighbour]]:
        self.asked.append((count, exclude))
        return [self.found[:count] for _ in texts]


def test_examples_are_what_the_codec_makes_of_records(codec: Codec) -> None:
    (example, *_) = Tokenised(RECORDS, TASK, codec, pairs=None, passages=0, part="train")
    source = codec.encode_source(RECORDS[0].source)
    assert example.source == source.tokens
    assert example.target == codec.encode_target(RECORDS[0].target, source.placeholders)
    assert example.passages == ()


def test_passages_are_the_nearest_pairs_with_the_slots_of_the_sentence(codec: Codec) -> None:
    pairs = FewPairs(("close {name}", "{name} schließen"))
    (example, *_) = Tokenised(RECORDS, TASK, codec, pairs=pairs, passages=2, part="train")  # type: ignore[arg-type]
    passage, missing = example.passages
    assert passage == codec.encode_pair("close {name}", "{name} schließen", placeholders=("{name}",))
    assert SEP in passage
    assert missing == []


@pytest.mark.parametrize(("part", "exclude_own"), [("train", True), ("valid", False)])
def test_a_training_sentence_never_finds_itself(codec: Codec, part: str, exclude_own: bool) -> None:
    pairs = FewPairs()
    list(Tokenised(RECORDS, TASK, codec, pairs=pairs, passages=1, part=part))  # type: ignore[arg-type]
    assert pairs.asked == [(1, [record_digest(record) for record in RECORDS] if exclude_own else ())]
    index = PairIndex.build([(record.source, record.target) for record in RECORDS])
    (example, *_) = Tokenised(RECORDS, TASK, codec, pairs=index, passages=1, part=part)  # type: ignore[arg-type]
    own = codec.encode_pair(RECORDS[0].source, RECORDS[0].target, placeholders=("{name}",))
    assert (example.passages[0] != own) is exclude_own


def test_a_reply_finds_nothing_of_its_own_conversation(codec: Codec) -> None:
    records = [
        Record("a: the door", "close the door", key="one"),
        Record("a: the door\nb: close the door\na: why", "open it", key="one"),
        Record("a: the garden", "wait", key="two"),
    ]
    index = PairIndex.build(
        [(record.source, record.target) for record in records], keys=[record_digest(record) for record in records]
    )
    (_, later, _) = Tokenised(records, TASK, codec, pairs=index, passages=2, part="train")
    assert later.passages[1] == []
    assert later.passages[0] == codec.encode_pair(records[2].source, "wait", placeholders=())


def test_what_is_too_long_is_left_out_and_counted(codec: Codec) -> None:
    long = "the garden is green " * 20
    records = [RECORDS[0], Record(long, "kurz"), Record("short", long), RECORDS[1]]
    pairs = FewPairs(("short", "kurz"), ("door", long))
    tokenised = Tokenised(records, TASK, codec, pairs=pairs, passages=2, part="valid")  # type: ignore[arg-type]
    examples = list(tokenised)
    assert [len(example.passages[0]) > 0 for example in examples] == [True, True]
    assert [example.passages[1] for example in examples] == [[], []]
    assert tokenised.too_long == {"source": 1, "target": 1, "passage": 2}
    assert tokenised.kept == [(RECORDS[0], 0), (RECORDS[1], 1)]


def test_chunks_change_nothing(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(Tokenised(RECORDS, TASK, codec, pairs=None, passages=0, part="train"))
    monkeypatch.setattr("endash.training.tokenised._CHUNK", 2)
    assert list(Tokenised(RECORDS, TASK, codec, pairs=None, passages=0, part="train")) == whole


def test_texts_of_the_train_part_are_not_held(codec: Codec) -> None:
    tokenised = Tokenised(RECORDS, TASK, codec, pairs=None, passages=0, part="train")
    assert len(list(tokenised)) == 3
    assert tokenised.kept == []


def test_what_no_alignment_can_tell_is_left_out_and_counted_where_it_is_asked_for(codec: Codec) -> None:
    short, long = Record("open", "open"), Record("open", "open the window, the door and the garden")
    whole, aligned = (
        Tokenised([short, long], TASK, codec, pairs=None, passages=0, part="valid", aligned=asked)
        for asked in (False, True)
    )
    assert len(list(whole)) == 2
    [example] = aligned
    assert example.target == codec.encode_target("open", ())
    assert list(aligned.shortfalls.values()) == [1]
    assert [record for record, _ in aligned.kept] == [short]
