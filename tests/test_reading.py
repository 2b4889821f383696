"""What is read of a text, and the key that names it."""

from __future__ import annotations

import numpy as np
import pytest

from endash.errors import LongTextError, TextError
from endash.reading import Reading, read
from endash.retrieval import PairIndex
from endash.tasks import TranslationTask
from endash.text import Codec
from tiny_model import PAIRS, build, trained_codec

TASK = TranslationTask(TranslationTask.Config())


@pytest.fixture(scope="module")
def codec() -> Codec:
    return trained_codec()


def test_a_pair_that_is_missing_or_too_long_is_read_as_nothing(codec: Codec) -> None:
    pairs = PairIndex.build([("The door is open.", "Das war offen."), ("The door", "ist " * 40)])
    codec = Codec(codec.source, codec.target, config=codec.config.model_copy(update={"max_length": 60}))
    texts = ["The door is open.", "♞"]
    records = [TASK.record(text) for text in texts]
    first, second = read(records, TASK, codec, pairs=pairs, passages=3)
    near = codec.encode_pair("The door is open.", "Das war offen.", placeholders=())
    assert (first.text, first.source) == (texts[0], codec.encode_source(texts[0]).tokens)
    assert first.passages == (near, [], [])
    assert second.passages == ([], [], [])
    assert read(records, TASK, codec, pairs=None, passages=0)[0].passages == ()
    assert read([], TASK, codec, pairs=pairs, passages=3) == []


def test_what_is_read_is_what_a_key_names(codec: Codec) -> None:
    model, retrieving = build(codec), build(codec, "retrieval={passages=2}")
    text = "The door is open."
    keys = retrieving.memory_keys([text, "on", text])
    assert keys[0] == keys[2] != keys[1]
    assert retrieving.memory_keys(["on", text]) == [keys[1], keys[0]]  # whatever stands beside it
    other = [
        model.memory_keys([text]),  # without passages, another encoder too
        build(codec, "retrieval={passages=2}", seed=1).memory_keys([text]),
        build(codec, "encoder.heads=1", "retrieval={passages=2}").memory_keys([text]),
    ]
    assert len({keys[0], *(one for (one,) in other)}) == 4
    assert len(set(model.memory_keys(["a", "b", "a "]))) == 3
    with pytest.raises(LongTextError, match=r"^text 2: \d+ tokens, and this model takes 40: it begins 'The door and"):
        model.memory_keys(["on", "The door " + "and the door " * 30])
    with pytest.raises(TextError, match="a list of texts is needed"):
        model.memory_keys("door")


def test_a_sound_or_picture_is_told_by_its_name_its_values_and_their_shape() -> None:
    values = np.arange(24, dtype=np.uint8)
    sources = [values.reshape(4, 2, 3), values.reshape(2, 4, 3), values.view(np.int16), values.reshape(4, 2, 3) + 1]
    keys = [Reading(name, one, 1, ()).key("here") for name in ("a.png", "b.png") for one in sources]
    assert len(set(keys)) == 8
    assert Reading("a.png", sources[0].copy(), 1, ()).key("here") == keys[0]


def test_a_pair_that_is_added_changes_the_keys_that_it_is_read_with(codec: Codec) -> None:
    model = build(codec, "retrieval={passages=2}")
    before, origin = model.memory_keys(["The door is open.", "♞"]), model.origin
    model.pairs = PairIndex.build([*PAIRS, ("The door is open.", "Die Tür ist offen.")])
    after = model.memory_keys(["The door is open.", "♞"])
    assert model.origin == origin
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
