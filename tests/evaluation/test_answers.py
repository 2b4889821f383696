"""The answers that were measured, as rows of a file."""

from __future__ import annotations

from endash.evaluation.answers import answer_rows
from endash.evaluation.evaluate import evaluate


def test_of_tags_every_value_is_a_list() -> None:
    found = evaluate(
        [["O", "O"], ["O"]],
        [["B-PER", "O"], ["O"]],
        metrics=["entity_f1"],
        sources=["Anna sleeps", "New York"],
        where=["a.jsonl:1", "a.jsonl:2"],
        probabilities=[[0.5, 0.75], [1.0]],
    )
    first, second = answer_rows(found, found)
    told = {"answer": ["O", "O"], "probability": [0.5, 0.75]}
    assert first == {
        "where": "a.jsonl:1",
        "source": ["Anna", "sleeps"],
        "references": ["B-PER", "O"],
        **told,
        "against": told,
    }
    assert second["source"] == "New York", "two words of one tag are not known apart"


def test_what_is_not_known_is_left_out() -> None:
    (row,) = answer_rows(evaluate(["yes"], [["yes", "yeah"]], metrics=["chrf"], sources=["well?"]))
    assert row == {"source": "well?", "references": ["yes", "yeah"], "answer": "yes"}
