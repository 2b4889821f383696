"""The baselines that tasks are compared with: each on data of a few rows whose answer is known."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endash.evaluation.evaluate import evaluate

FILE = Path(__file__).parents[2] / "benchmarks" / "baselines.py"


@pytest.fixture(scope="module")
def baselines() -> ModuleType:
    spec = importlib.util.spec_from_file_location("baselines", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


needs_scikit_learn = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="needs scikit-learn, whose logistic regression it is"
)


def test_majority(baselines):
    assert baselines.majority(["a", "b", "c"], ["x", "y", "y"])(["d", "a"]) == ["y", "y"]


def test_most_frequent_tag(baselines):
    answer = baselines.most_frequent_tag(
        [["the", "run", "the", "run"], ["run", "Anna", "Bob"]], [["D", "V", "D", "N"], ["V", "P", "P"]]
    )
    assert answer([["the", "run", "Carl"], []]) == [("D", "V", "P"), ()], "Carl is as words that occur once are"
    assert baselines.most_frequent_tag([["a", "a"]], [["D", "D"]])([["b"]]) == [("D",)]


@needs_scikit_learn
@pytest.mark.parametrize("name", ["bag_of_words", "tfidf"])
def test_regressions_learn_from_words(baselines, name):
    texts = ["my card is lost", "card stolen", "lost card", "what is the rate", "exchange rate", "rate today"] * 3
    answer = getattr(baselines, name)(texts, (["card"] * 3 + ["rate"] * 3) * 3)
    assert answer(["The RATE, please!", "a stolen card"]) == ["rate", "card"]
    assert answer([]) == []


@needs_scikit_learn
@pytest.mark.parametrize("name", ["bag_of_words", "tfidf"])
def test_each_part_of_a_source_has_words_of_its_own(baselines, name):
    pairs = [("a dog", "a cat"), ("a cat", "a dog")] * 5
    assert getattr(baselines, name)(pairs, ["one", "other"] * 5)(pairs[:2]) == ["one", "other"]


def slow_bm25(query, contexts):
    """The score of each context, term by term (Robertson & Zaragoza 2009, with log(1 + …) so that none is negative)."""
    documents = [text.split() for text in contexts]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        score = 0.0
        for term in query.split():
            having = sum(term in other for other in documents)
            rarity = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
            frequency = words.count(term)
            score += (
                rarity * frequency * 2.5 / (frequency + 1.5 * (0.25 + 0.75 * len(words) / mean)) if frequency else 0.0
            )
        scores.append(score)
    return scores


CONTEXT = st.lists(st.sampled_from(["my", "card", "is", "lost", "help"]), min_size=1, max_size=6).map(" ".join)


@settings(deadline=None)
@given(contexts=st.lists(CONTEXT, min_size=1, max_size=6), query=CONTEXT)
def test_the_nearest_reply_is_bm25s(baselines, contexts, query):
    (found,) = baselines.nearest_reply(contexts, [str(place) for place in range(len(contexts))])([query])
    scores = slow_bm25(query, contexts)
    # the first of those that are equally near; sums in another order differ in the last digits
    if max(scores) > 0:
        assert scores[int(found)] == pytest.approx(max(scores), rel=1e-9)


def test_a_context_that_shares_no_word_gets_the_most_frequent_reply(baselines):
    answer = baselines.nearest_reply(["a b", "c d", "e"], ["x", "y", "y"])
    assert answer(["a", "zzz", ""]) == ["x", "y", "y"]
    assert answer([]) == []
    assert baselines.nearest_reply(["", ""], ["x", "x"])(["a"]) == ["x"]


def test_blocks_of_queries_change_nothing(baselines, monkeypatch):
    contexts = [f"word{n} and word{n % 7}" for n in range(20)]
    answer = baselines.nearest_reply(contexts, contexts)
    whole = answer(contexts)
    monkeypatch.setattr(baselines, "_BLOCK", 3)
    assert answer(contexts) == whole == contexts


def test_translation_memory(baselines):
    answer = baselines.translation_memory(
        ["the light is on", "the door is open"], ["Das Licht ist an", "Die Tür ist offen"]
    )
    assert answer(["the lights are on", "∞∞∞∞"]) == ["Das Licht ist an", ""]


def test_first_sentence(baselines):
    answer = baselines.first_sentence([], [])
    assert answer([" Meet at 3. Then go.", "One line\nTwo.", "第一句。第二句。", "no end", ""]) == [
        "Meet at 3.",
        "One line",
        "第一句。",
        "no end",
        "",
    ]


VALUES = {
    "eatType": ["coffee shop", "pub", "restaurant"],
    "food": ["English", "Chinese", "Fast food"],
    "priceRange": ["cheap", "moderate", "high", "less than £20", "£20-25", "more than £30"],
    "customer rating": ["low", "average", "high", "1 out of 5", "3 out of 5", "5 out of 5"],
    "area": ["riverside", "city centre"],
    "familyFriendly": ["yes", "no"],
    "near": ["Burger King", "Café Sicilia", "Raja Indian Cuisine"],
}


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={slot: st.sampled_from(values) for slot, values in VALUES.items()}))
def test_the_template_says_every_slot_and_nothing_else(baselines, slots):
    meaning = ", ".join(f"{slot}[{value}]" for slot, value in {"name": "The Eagle", **slots}.items())
    texts = baselines.template([], [])([meaning])
    assert evaluate(texts, ["-"], sources=[meaning], metrics=["ser"])["ser"].value == 0


def test_the_most_frequent_caption(baselines):
    answer = baselines.most_frequent_caption([0, 1], [["a dog", "a cat"], ["a dog", "a bus"]])
    assert answer([7, 8]) == ["a dog", "a dog"]
    unique = baselines.most_frequent_caption([0], [["a dog runs", "a dog runs on grass", "two men sit"]])
    assert unique([1])[0].startswith("a dog runs"), "the one that is most like all"


def picture(colour, size=(20, 30)):
    return np.full((*size, 3), colour, dtype=np.uint8)


def test_the_nearest_picture(baselines):
    red, blue = picture((250, 20, 20)), picture((10, 30, 240), size=(40, 17))
    answer = baselines.nearest_picture([red, blue], [["a red wall"], ["the sea", "a blue wall", "blue wall"]])
    blue_caption, red_caption = answer([picture((5, 40, 200)), picture((200, 0, 0), size=(5, 4))])
    assert blue_caption in ("a blue wall", "blue wall"), "the one that is like its others"
    assert red_caption == "a red wall"


def test_a_pictures_layout_counts_as_well_as_its_colours(baselines):
    left = np.concatenate([picture((255, 255, 255)), picture((0, 0, 0))], axis=1)
    right = left[:, ::-1]
    answer = baselines.nearest_picture([left, right], [["left"], ["right"]])
    assert answer([left[::2, ::2], right[1:, 1:]]) == ["left", "right"]
    assert baselines.picture_features(left).shape == (8 * 8 * 3 + 4**3,)
    assert np.isfinite(baselines.picture_features(picture((0, 0, 0), size=(1, 1)))).all()


@needs_scikit_learn
def test_shared_words_tell_pairs_apart_that_words_alone_do_not(baselines):
    words = [f"word{number}" for number in range(12)]
    pairs = [(one, other) for one in words for other in words if one == other or (len(one) + len(other)) % 3 == 0]
    labels = ["same" if one == other else "other" for one, other in pairs]
    assert baselines.bag_of_shared_words(pairs, labels)(pairs) == labels
    assert baselines.bag_of_words(pairs, labels)(pairs) != labels
