import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.errors import CorpusError
from endash.evaluation.entities import EntityF1, count_entities, repaired, spans
from endash.evaluation.evaluate import evaluate
from endash.evaluation.scorer import answered

TAGS = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=1, max_size=8)


def slow_spans(tags):
    """Every stretch of one type that begins where an entity may begin and ends where it has to end, tried one by one."""

    def begins(i):
        return tags[i][0] == "B" or (tags[i][0] == "I" and (i == 0 or tags[i - 1][1:] != tags[i][1:]))

    found = []
    for first in range(len(tags)):
        for end in range(first + 1, len(tags) + 1):
            inside = all(tags[i] == "I" + tags[first][1:] for i in range(first + 1, end))
            stops = end == len(tags) or tags[end] != "I" + tags[first][1:]
            if tags[first] != "O" and begins(first) and inside and stops:
                found.append((first, end, tags[first][2:]))
    return found


@settings(deadline=None)
@given(TAGS)
def test_spans_are_those_of_the_definition(tags):
    assert spans(tags) == slow_spans(tags)


@settings(deadline=None)
@given(TAGS)
def test_repaired_tags_are_those_that_would_change(tags):
    by_hand = [
        "B" + tag[1:] if tag[0] == "I" and (i == 0 or tags[i - 1][1:] != tag[1:]) else tag for i, tag in enumerate(tags)
    ]
    assert spans(by_hand) == spans(tags)
    assert repaired(tags) == sum(a != b for a, b in zip(by_hand, tags, strict=True))
    assert repaired(by_hand) == 0


@settings(deadline=None)
@given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=5))
def test_f1_is_that_of_sets_of_spans(rows):
    rows = [(a[: len(b)], b[: len(a)]) for a, b in rows]
    right = answers = gold = 0
    for mine, theirs in rows:
        right += len(set(slow_spans(mine)) & set(slow_spans(theirs)))
        answers += len(slow_spans(mine))
        gold += len(slow_spans(theirs))
    by_hand = 2 * right / (answers + gold) if right else 0.0
    given_ = answered(*zip(*rows, strict=True))
    assert EntityF1().value(given_) == pytest.approx(by_hand)
    assert count_entities(given_).table.sum(axis=(0, 2)).tolist() == [right, answers, gold]


def test_a_span_is_right_only_as_a_whole():
    gold = ["B-PER", "I-PER", "O", "B-LOC"]
    assert EntityF1().value(answered([["B-PER", "O", "O", "B-LOC"]], [gold])) == 0.5
    assert EntityF1().value(answered([["B-LOC", "I-LOC", "O", "B-LOC"]], [gold])) == 0.5
    assert EntityF1().value(answered([gold], [gold])) == 1.0
    assert EntityF1().value(answered([["O"] * 4], [["O"] * 4])) == 0.0


def test_types_may_have_dashes():
    assert spans(["B-creative-work", "I-creative-work"]) == [(0, 2, "creative-work")]


def test_repairs_are_told():
    found = evaluate([["O", "I-PER", "I-PER"]], [["B-LOC", "I-PER", "O"]], metrics=["entity_f1"])
    assert found.notes[:2] == (
        "1 I- tags of the references continue no entity: read as B-, as conlleval does",
        "1 I- tags of the answers continue no entity: read as B-, as conlleval does",
    )
    assert [row.label for row in found.table.rows] == ["LOC", "PER"]
    assert found.confusion.labels == ("B-LOC", "I-PER", "O")


@pytest.mark.parametrize("tag", ["NOUN", "B-", "X-PER", "o", "B", "S-PER"])
def test_a_tag_of_another_scheme_is_refused(tag):
    with pytest.raises(CorpusError, match=f"'{tag}' is no BIO tag: allowed are O, B-TYPE and I-TYPE"):
        spans(["O", tag])
