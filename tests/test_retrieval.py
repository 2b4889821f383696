import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash import retrieval
from endash.corpora.keys import key_digest, source_key
from endash.errors import TextError
from endash.retrieval import Neighbour, PairIndex

PAIRS = [
    ("Turn off the light", "Licht ausschalten"),
    ("Turn on the light", "Licht einschalten"),
    ("Turn on the heating", "Heizung einschalten"),
    ("turn on the light!", "Licht an"),
    ("Delete {count} files?", "{count} Dateien löschen?"),
    ("打开厨房的灯", "Küchenlicht einschalten"),
]


@pytest.fixture(scope="module")
def index() -> PairIndex:
    return PairIndex.build(PAIRS)


def targets(found: list[list[Neighbour]]) -> list[list[str]]:
    return [[neighbour.target for neighbour in row] for row in found]


def test_nearest_first(index: PairIndex) -> None:
    (found,) = index.nearest(["TURN ON THE LIGHT"], count=3)
    assert [neighbour.target for neighbour in found[:2]] == ["Licht einschalten", "Licht an"]
    assert found[0] == Neighbour("Turn on the light", "Licht einschalten", pytest.approx(1.0, abs=1e-6))
    assert all(1 > neighbour.similarity > 0 for neighbour in found[1:])


def test_own_are_left_out(index: PairIndex) -> None:
    asked = ["Turn on the light", "delete %s files", "打开客厅的灯"]
    found = index.nearest(asked, count=2, exclude=[key_digest(text) for text in asked])
    assert targets(found)[0] == ["Licht ausschalten", "Heizung einschalten"]
    assert all(source_key(neighbour.source) != source_key(asked[1]) for neighbour in found[1])
    assert targets(found)[2] == ["Küchenlicht einschalten"]


def test_what_has_the_same_key_is_left_out_unless_another_key_has_it_too(tmp_path: Path) -> None:
    pairs = [("hello", "Hi!"), ("hello Hi! my phone is broken", "Which one?"), ("my phone is slow", "Restart it.")]
    keys = [1, 1, 2]
    index = PairIndex.build(pairs, keys=keys)
    index.save(tmp_path)
    for one in (index, PairIndex.load(tmp_path)):
        asked = ["hello Hi! my phone is broken"]
        assert targets(one.nearest(asked, count=3))[0][0] == "Which one?"
        assert targets(one.nearest(asked, count=3, exclude=[1])) == [["Restart it."]]
    index = PairIndex.build([*pairs, ("hello", "Hi!")], keys=[*keys, 3])
    assert len(index) == 3
    assert targets(index.nearest(["hello"], exclude=[1])) == [["Hi!"]]


def test_fewer_when_nothing_is_shared(index: PairIndex) -> None:
    asked = ["жук", "", "打开厨房的灯"]
    assert index.nearest(asked, count=9, exclude=[key_digest(text) for text in asked]) == [[], [], []]
    assert PairIndex.build([]).nearest(["a", "b"]) == [[], []]
    assert index.nearest([]) == []


def test_pairs_that_occur_again_are_stored_once() -> None:
    index = PairIndex.build([*PAIRS, *PAIRS, ("Turn on the light", "Licht!")])
    assert len(index) == len(PAIRS) + 1
    assert targets(index.nearest(["Turn on the light"], count=2)) == [["Licht einschalten", "Licht!"]]


def words(seed: int, count: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(["on", "off", "in", "fan", "red", "lamp", "dim", "sun"], 4)) for _ in range(count)]


def chosen(texts: list[str], stored: list[str], count: int) -> list[list[tuple[int, float]]]:
    """Places and cosines by the definition, counted one n-gram at a time."""

    def grams(text: str) -> dict[str, int]:
        text = f" {text.lower()} "
        all_grams = [text[i : i + n] for n in (2, 3, 4) for i in range(len(text) - n + 1)]
        return {gram: all_grams.count(gram) for gram in all_grams}

    vocabulary = sorted({gram for text in [*texts, *stored] for gram in grams(text)})
    counted = [grams(text) for text in [*texts, *stored]]
    counts = np.array([[grams_of.get(gram, 0) for gram in vocabulary] for grams_of in counted], float)
    frequency = (counts[len(texts) :] > 0).sum(0)
    vectors = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    vectors *= np.sqrt(np.log((1 + len(stored)) / (1 + frequency)) + 1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked, pairs = vectors[: len(texts)], vectors[len(texts) :]

    def of(query: np.ndarray) -> list[tuple[int, float]]:
        left, places = query.copy(), []
        for _ in range(count):
            near = pairs @ left
            near[places] = -1
            places.append(int(near.argmax()))
            left[pairs[places[-1]] > 0] /= 2
        return [(place, float(pairs[place] @ query)) for place in places]

    return [of(query) for query in asked]


@pytest.mark.parametrize("scores", [2**23, 700])
def test_pairs_are_those_of_the_definition(scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one block and in blocks of seven queries; 2**20 columns hold these n-grams without a collision."""
    monkeypatch.setattr(retrieval, "_SCORES", scores)
    monkeypatch.setattr(retrieval, "_BLOCK", 30)
    stored, asked = list(dict.fromkeys(words(0, 100))), words(1, 20)
    found = PairIndex.build([(text, "") for text in stored]).nearest(asked, count=3)
    for row, expected in zip(found, chosen(asked, stored, 3), strict=True):
        assert [stored.index(neighbour.source) for neighbour in row] == [place for place, _ in expected]
        assert [neighbour.similarity for neighbour in row] == pytest.approx([near for _, near in expected], abs=1e-5)


def test_a_further_pair_brings_what_the_first_does_not_have() -> None:
    stored = ["charging voltage", "charging voltages", "the minimum"]
    index = PairIndex.build([(text, text) for text in stored])
    (found,) = index.nearest(["minimum charging voltage"], count=2)
    assert [neighbour.source for neighbour in found] == ["charging voltage", "the minimum"]


def test_common_ngrams_serve_when_rare_ones_find_nothing() -> None:
    """'the' is in each of 300 sources, so no n-gram of it is rare."""
    index = PairIndex.build([(f"the {number:03}", str(number)) for number in range(300)])
    (found,) = index.nearest(["the"], count=2)
    assert len(found) == 2
    assert found[0].similarity > 0.2


@settings(max_examples=30)  # each builds an index: 50 ms
@given(st.lists(st.tuples(st.text(), st.text()), max_size=8), st.lists(st.text(), max_size=4), st.integers(1, 3))
def test_any_text(pairs: list[tuple[str, str]], texts: list[str], count: int) -> None:
    found = PairIndex.build(pairs).nearest(texts, count=count, exclude=list(map(key_digest, texts)))
    assert len(found) == len(texts)
    for text, row in zip(texts, found, strict=True):
        similar = [neighbour.similarity for neighbour in row]
        assert all(one <= similar[0] for one in similar)
        assert len({(neighbour.source, neighbour.target) for neighbour in row}) == len(row)
        assert len(row) <= count
        assert all(source_key(neighbour.source) != source_key(text) for neighbour in row)
        assert all(0 < similarity <= 1 for similarity in similar)


def test_save_and_load(index: PairIndex, tmp_path: Path) -> None:
    pairs = [*PAIRS, ("tab\there\n\u2028", "line\r\n\0"), ("half \ud800 a pair", "")]
    PairIndex.build(pairs).save(tmp_path / "memory")
    loaded = PairIndex.load(tmp_path / "memory")
    assert loaded.pairs == pairs
    index.save(tmp_path)
    loaded = PairIndex.load(tmp_path)
    assert loaded.nearest(["Turn it on"]) == index.nearest(["Turn it on"])
    assert loaded.keys == index.keys
    first = (tmp_path / "pairs.jsonl.gz").read_bytes()
    loaded.save(tmp_path)
    assert (tmp_path / "pairs.jsonl.gz").read_bytes() == first


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"plain", "Not a gzipped file"),
        (gzip.compress(json.dumps(["a", "b"]).encode() * 99)[:-9], "end-of-stream"),
        (gzip.compress(b'["a"'), "Expecting"),
        (gzip.compress(b'["a", 3]'), r"no pair of texts but \['a', 3\]"),
        (gzip.compress(b"\xff"), "utf-8"),
    ],
)
def test_errors_of_files(content: bytes, found: str, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"no translation memory at .*pairs\.jsonl\.gz; copy the whole folder"):
        PairIndex.load(tmp_path)
    (tmp_path / "pairs.jsonl.gz").write_bytes(content)
    with pytest.raises(TextError, match=rf"is not a translation memory or is broken \(.*{found}"):
        PairIndex.load(tmp_path)
