"""Dialogues as replies with what came before them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from endash.corpora import BadLine, Corpus, CorpusConfig, Record, readers
from endash.errors import CorpusError


def talk(*texts: str, name: str = "7", first: str = "customer") -> dict[str, Any]:
    """A dialogue of two speakers in turn."""
    speakers = ["customer", "agent"] if first == "customer" else ["agent", "customer"]
    turns = [{"speaker": speakers[place % 2], "text": text, "acts": []} for place, text in enumerate(texts)]
    return {"id": name, "turns": turns}


def dialogues(path: Path, *talks: object, **settings: object) -> list[Record | BadLine]:
    path = path / "talks.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in talks), encoding="utf-8")
    config = readers.config("dialogue").model_validate_json(json.dumps({"path": str(path), **settings}))
    return list(readers.build(config).read())


def test_each_reply_has_the_conversation_so_far(tmp_path: Path) -> None:
    found = dialogues(tmp_path, talk("Hi.", "Hello!", "It\nbroke.", "Oh."))
    lines = ("customer: Hi.", "agent: Hello!", "customer: It broke.")
    assert found == [
        Record("customer: Hi.", "Hello!", f"{tmp_path}/talks.jsonl:1#2", sources=lines[:1], key="7"),
        Record("\n".join(lines), "Oh.", f"{tmp_path}/talks.jsonl:1#4", sources=lines, key="7"),
    ]


def test_only_the_last_turns_are_kept_and_six_by_default(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(10)]
    assert [len(item.sources) for item in dialogues(tmp_path, talk(*texts)) if isinstance(item, Record)] == [
        1,
        3,
        5,
        6,
        6,
    ]
    *_, last = dialogues(tmp_path, talk(*texts), turns=2)
    assert isinstance(last, Record)
    assert last.source == "agent: text 7\ncustomer: text 8"


def test_turns_without_text_are_neither_replies_nor_context(tmp_path: Path) -> None:
    found = dialogues(tmp_path, talk("Hi.", " ", "Are you there?", "Yes."), turns=2)
    assert [(item.source, item.target) for item in found if isinstance(item, Record)] == [
        ("customer: Hi.\ncustomer: Are you there?", "Yes.")
    ]


def test_what_opens_a_dialogue_is_no_reply_and_one_may_speak_twice(tmp_path: Path) -> None:
    one = talk("Welcome.", "Hi.", first="agent")
    one["turns"] += [{"speaker": "agent", "text": "How are you?"}, {"speaker": "agent", "text": "Well?"}]
    found = [item for item in dialogues(tmp_path, one) if isinstance(item, Record)]
    assert [item.target for item in found] == ["How are you?", "Well?"]
    assert [len(item.sources) for item in found] == [2, 3]
    [first, *_] = dialogues(tmp_path, talk(" ", "Welcome.", "Hi.", "Hello."))
    assert isinstance(first, Record)
    assert first.target == "Hello."


def test_any_speaker_may_be_the_one_who_replies(tmp_path: Path) -> None:
    [record] = dialogues(tmp_path, talk("a", "b", "c"), replier="customer", turns=1)
    assert isinstance(record, Record)
    assert (record.source, record.target) == ("agent: b", "c")
    with pytest.raises(CorpusError, match=r"replier = 'agnet', and nobody in .* is called so: did you mean 'agent'\?"):
        dialogues(tmp_path, talk("a", "b"), replier="agnet")


def test_to_be_answered_are_each_reply_and_the_one_that_is_due(tmp_path: Path) -> None:
    dialogues(tmp_path, talk("a", "b", "c"), talk("a", "b"), talk("a", " "), talk(" "))
    found = readers.build(readers.config("dialogue").model_validate({"path": str(tmp_path / "talks.jsonl")})).sources()
    assert [(item.where.split(":")[-1], item.source) for item in found] == [
        ("1#2", "customer: a"),
        ("1#4", "customer: a\nagent: b\ncustomer: c"),
        ("2#2", "customer: a"),
        ("3#2", "customer: a"),
    ]


def test_a_dialogue_without_ids_goes_by_its_text(tmp_path: Path) -> None:
    one, two = talk("a", "b", "c", "d"), talk("a", "b")
    del one["id"], two["id"]
    found = [item for item in dialogues(tmp_path, one, two, key="") if isinstance(item, Record)]
    assert [item.key for item in found] == ["customer: a\nagent: b\ncustomer: c\nagent: d"] * 2 + [
        "customer: a\nagent: b"
    ]
    [bad] = dialogues(tmp_path, two)
    assert str(bad).startswith(
        f"{tmp_path}/talks.jsonl:1: no field 'id': allowed: turns; or set key = \"\", and dialogues"
    )


def test_a_dialogue_stays_in_one_part(tmp_path: Path) -> None:
    dialogues(tmp_path, *(talk("Hi.", "Hello!", f"It {number}.", "Oh.", name=str(number)) for number in range(100)))
    train = {"kind": "dialogue", "path": str(tmp_path / "talks.jsonl")}
    settings = CorpusConfig.model_validate_json(json.dumps({"train": train, "split": {"valid": 0.3}}))
    parts = [{record.key for record in Corpus(settings, part)} for part in ("train", "valid")]  # type: ignore[arg-type]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == 100


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"turns": None}, "the field 'turns' is no list of turns, or an empty one"),
        ({"turns": []}, "the field 'turns' is no list of turns, or an empty one"),
        ({"turns": ["Hi."]}, "turn 1: a text, and not an object with a speaker and a text"),
        (
            {"turns": [{"speaker": "agent", "text": "a"}, {"speaker": "agent", "txt": "b"}]},
            "turn 2: no field 'text': did you mean 'txt'? allowed: speaker, txt",
        ),
        (
            {"turns": [{"speaker": "agent", "text": None}]},
            "turn 1: the field 'text' holds null, and not text: write a text in quotation marks",
        ),
        ({"turns": [{"speaker": "agent", "text": ["a"]}]}, "turn 1: the field 'text' holds a list, and not text"),
        ({"turns": [{"speaker": " ", "text": "a"}]}, "turn 1: the field 'speaker' is empty"),
        (
            {"turns": [{"speaker": "agent", "text": "\udc00"}]},
            "turn 1: the field 'text' holds \\udc00, half a character",
        ),
        ({"id": None}, "the key 'id' holds null, and neither text nor a whole number"),
    ],
)
def test_what_is_no_dialogue_is_bad(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    bad, *good = dialogues(tmp_path, talk("a", "b") | change, talk("a", "b"))
    assert isinstance(bad, BadLine)
    assert (bad.reason, bad.where) == (reason, f"{tmp_path}/talks.jsonl:1")
    assert len(good) == 1


def test_a_dialogue_is_not_written(tmp_path: Path) -> None:
    config = readers.config("dialogue").model_validate({"path": str(tmp_path)})
    with pytest.raises(CorpusError, match="the format 'dialogue' is only read, and cannot be written"):
        next(readers.build(config).jobs())
