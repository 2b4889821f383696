"""Dialogue: how much of a conversation is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from endash.corpora import Record
from endash.errors import LongTextError
from endash.tasks import TooLong
from endash.training.preparation import prepare
from task_models import build, recipe

LONG = "the door is red " * 30


def test_a_line_break_in_a_turn_begins_no_other() -> None:
    task = recipe("dialogue").does
    assert task.record([("customer", "It\r\nbroke.\n"), ("agent", "Oh.")]).source == "customer: It broke. \nagent: Oh."
    assert task.record("customer: It broke.\r\nagent: Oh.\r\n").source == "customer: It broke.\nagent: Oh."


def test_a_conversation_loses_its_first_turns_where_it_is_too_long() -> None:
    model = build("dialogue")
    task, codec = model.task, model.codec
    turns = [f"{word}: the door is red" for word in ("old", "open", "blue") * 6]
    record = Record("\n".join(turns), "the lamp", sources=tuple(turns))
    fitted = task.fit(record, codec)
    assert 1 < len(fitted.sources) < len(turns)
    assert fitted.sources == tuple(turns[-len(fitted.sources) :])
    assert fitted.source == "\n".join(fitted.sources)
    longer = Record("\n".join(turns[-len(fitted.sources) - 1 :]), "")
    assert task.fit(longer, codec).source == fitted.source, "as few as need be"
    short = Record(turns[0], "", sources=(turns[0],))
    assert task.fit(short, codec) is short
    whole = Record(f"customer: hi\nagent: {LONG}", "")
    assert task.fit(whole, codec).source == f"agent: {LONG}", "the last turn is never left out"
    assert [type(one) for [one] in task.examples([task.fit(whole, codec)], codec)] == [TooLong]
    assert model.answer([record]) == model.answer([fitted])
    assert model.read([record]) == model.read([fitted])
    with pytest.raises(LongTextError, match="this model takes 40: it begins"):
        model.answer([whole])


def test_of_a_conversation_no_more_turns_are_read_than_were_learned_from() -> None:
    turns = ["a: one", "b: two", "a: three"]
    whole = Record("\n".join(turns), "", sources=tuple(turns))
    codec = build("dialogue").codec
    assert recipe("dialogue", "corpus.train.turns=2").does.fit(whole, codec).sources == ("b: two", "a: three")
    assert recipe("dialogue", "corpus.train.turns=3").does.fit(whole, codec) is whole
    readers = recipe("dialogue", "corpus.train.turns=2").corpus.train + recipe("generation").corpus.train
    assert type(build("dialogue").task)(None, readers=readers).fit(whole, codec) is whole, "one does not tell"


def test_a_training_tells_how_many_conversations_it_shortens() -> None:
    turns = '{"speaker": "customer", "text": "the door is red"}, {"speaker": "agent", "text": "the lamp is blue"}'
    lines = [f'{{"id": "{n}", "turns": [{", ".join([turns] * count)}]}}' for n, count in enumerate([1] * 8 + [3])]
    Path("given.jsonl").write_text("\n".join(lines), encoding="utf-8")
    told: list[str] = []
    prepare(recipe("dialogue", "corpus.split.valid=0.3", "text.max_length=64"), Path("run"), say=told.append)
    lines = [line for line in "\n".join(told).splitlines() if "shortened" in line]
    assert lines == ["  2 shortened to text.max_length = 64"], "those of three turns and of five"
