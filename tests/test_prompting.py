"""A model asked with examples: encoded once, joined to every text, and none of them lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from endash import Memory
from endash.errors import EndashError, LongTextError, MemoryMismatchError, ModelError, TextError
from endash.model import Model
from endash.prompting import beside, joined
from endash.text import SEP
from tiny_model import PAIRS, TEXTS, build, trained_codec

TASK = 'task={kind="prompting",examples=2}'
SHORT = ("on", "an")
LINKS = {
    "cross-attention": "link.heads=2",
    "hierarchical": 'link={kind="multi",strategy="hierarchical"}',
    "prefix": 'link={kind="prefix"}',
    "pointer": "head={pointer=true}",
}


@pytest.fixture(scope="module", params=LINKS)
def model(request: pytest.FixtureRequest) -> Model:
    return build(trained_codec(), TASK, LINKS[request.param], "text.placeholders=false")


def scores(model: Model, **given: object) -> torch.Tensor:
    return torch.tensor(model.score(TEXTS, [target for _, target in PAIRS[:4]], **given))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_texts_are_answered_by_examples_in_whatever_company(model: Model, count: int) -> None:
    answers = model.prompt(TEXTS, examples=PAIRS[:count])
    assert len(answers) == len(TEXTS)
    assert [model.prompt(text, examples=PAIRS[:count]) for text in TEXTS] == answers
    assert model.prompt([], examples=PAIRS[:count]) == []
    if count == 0:
        assert answers == model(TEXTS)


def test_each_example_has_its_say_those_past_the_last_too(model: Model) -> None:
    before = scores(model)
    for count in range(1, 6):
        after = scores(model, examples=PAIRS[:count])
        assert (after - before).abs().min() > 1e-4
        before = after


def test_examples_that_were_kept_are_as_good_as_new_ones(model: Model, tmp_path: Path) -> None:
    """To the bit: what is computed is the same."""
    kept = model.encode_examples(PAIRS[:5])
    assert (len(kept), kept.origin, kept.sources) == (5, model.origin, tuple(source for source, _ in PAIRS[:5]))
    kept.save(tmp_path / "five.memory")
    again = Memory.load(tmp_path / "five.memory")
    assert torch.equal(scores(model, examples=again), scores(model, examples=PAIRS[:5]))
    assert model.prompt(TEXTS, examples=again) == model.prompt(TEXTS, examples=PAIRS[:5])
    some = model.encode_examples([PAIRS[4], PAIRS[1]])
    assert torch.equal(scores(model, examples=kept.select([4, 1])), scores(model, examples=some))


def test_examples_are_encoded_once_for_many_texts(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, encode = [], model.network.encode_joined
    monkeypatch.setattr(model.network, "encode_joined", lambda tokens: calls.append(tokens) or encode(tokens))
    model.prompt(TEXTS * 20, examples=PAIRS[:3], batch_tokens=100)
    assert len(calls) == 3
    model.prompt(TEXTS, examples=model.encode_examples(PAIRS[:3]))
    assert len(calls) == 6


@torch.no_grad()
def test_a_joined_memory_is_what_training_makes_of_source_and_passages(model: Model) -> None:
    """Up to the padding between them."""
    [reading], rows = model.read(TEXTS[:1]), model.codec.encode_pairs([SHORT, PAIRS[0]], [()] * 2)
    rows.sort(key=len, reverse=True)
    trained = model.network.encode(model.padded([reading.source]), tuple(model.padded([row]) for row in rows))
    asked = joined(model.encode_read([reading]), beside(model, [SHORT, PAIRS[0]]))
    assert trained.segments is not None
    assert asked.segments is not None
    assert torch.equal(asked.segments, trained.segments)
    assert torch.equal(asked.states, trained.states)
    many = joined(model.encode_read([reading]), beside(model, PAIRS[:5]))
    assert many.segments is not None
    assert sorted(set(many.segments[0].tolist())) == [0, 1, 2]
    assert int((many.tokens == SEP).sum()) == 5  # type: ignore[call-overload]


def test_the_order_of_examples_that_are_marked_alike_is_nothing() -> None:
    """But for the order of sums."""
    model = build(trained_codec(), TASK, "text.placeholders=false")
    assert torch.allclose(scores(model, examples=PAIRS[:5]), scores(model, examples=PAIRS[4::-1]), atol=1e-4)


def test_what_are_no_examples_is_refused_by_name(model: Model) -> None:
    refused: list[tuple[object, type[EndashError], str]] = [
        ([PAIRS[0], "The door"], TextError, r"example 2 is 'The door': give a pair of texts, \(source, target\)"),
        ([("one", "two", "three")], TextError, r"example 1 is \('one', 'two', 'three'\): give a pair"),
        ([("one", None)], TextError, "example 1 is"),
        ([3], TextError, "example 1 is 3"),
        ("door", TextError, "example 1 is 'd'"),
        (
            [PAIRS[0], ("door " * 30, "on " * 30)],
            TextError,
            r"example 2 has \d+ tokens, and this model takes 40: shorten",
        ),
        (model.encode(TEXTS), MemoryMismatchError, "a memory of texts was given in place of examples"),
        (
            replace(model.encode_examples(PAIRS[:1]), origin="other"),
            MemoryMismatchError,
            "encoded by another model .*model.encode_examples",
        ),
    ]
    for examples, error, message in refused:
        with pytest.raises(error, match=message):
            model.prompt("on", examples=examples)  # type: ignore[arg-type]
    with pytest.raises(TextError, match="there is no example to encode"):
        model.encode_examples([])
    with pytest.raises(LongTextError, match="this model takes 40"):
        model.prompt("The door " * 30, examples=PAIRS[:1])


def test_a_model_that_has_learned_to_read_none_refuses_them() -> None:
    for overrides in ([], ["retrieval={passages=2}"]):
        model = build(trained_codec(), *overrides)
        assert model.prompt("The door is on.") == model("The door is on.")
        for ask in (lambda: model.prompt("on", examples=PAIRS[:1]), lambda: model.encode_examples(PAIRS[:1])):  # noqa: B023
            with pytest.raises(
                ModelError, match=r"'translation', which has learned to read no examples: .*examples = 4"
            ):
                ask()
