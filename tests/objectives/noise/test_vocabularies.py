"""Noise over real vocabularies: what it knows of them, and the settings of text that it does not go with."""

from __future__ import annotations

import numpy as np
import pytest

from endash.objectives.noise import Symbols, noises
from endash.text import TextConfig, Tokenizer
from endash.text.tokenizer import FIRST_SLOT, SLOTS, UNK

SENTENCES = [
    "Click on “Save.” Then close the window!",
    "Version 3.5 is new. Is it?",
    "保存文件。然后关闭窗口！再见",
    "No stop, e.g.none here",
]


@pytest.fixture(scope="module")
def vocabulary() -> Tokenizer:
    return Tokenizer.train(SENTENCES * 20, TextConfig(size=400))


@pytest.mark.parametrize(
    ("text", "count"), [(SENTENCES[0], 2), (SENTENCES[1], 2), (SENTENCES[2], 3), (SENTENCES[3], 1), ("", 1)]
)
def test_sentences_are_told_apart(vocabulary: Tokenizer, text: str, count: int) -> None:
    found = Symbols.of(vocabulary).sentences(np.array(vocabulary.encode(text), dtype=np.int64))
    assert len(found) == count
    assert (
        "".join(vocabulary.decode(one) if place == 0 else _inner(vocabulary, one) for place, one in enumerate(found))
        == text
    )


def _inner(vocabulary: Tokenizer, tokens: np.ndarray) -> str:
    """The text of tokens that are not the first, whose space in front belongs to it."""
    return vocabulary.decode([*vocabulary.encode("x"), *tokens]).removeprefix("x")


def test_sentinels_are_the_slots_from_the_last_one_down(vocabulary: Tokenizer) -> None:
    symbols = Symbols.of(vocabulary)
    assert symbols.sentinels.tolist() == list(range(FIRST_SLOT + SLOTS - 1, FIRST_SLOT - 1, -1))
    assert vocabulary.pieces(symbols.sentinels[:2].tolist()) == ["<slot31>", "<slot30>"]
    assert symbols.mask == UNK


def test_a_vocabulary_without_slots_has_no_sentinels() -> None:
    vocabulary = Tokenizer.train(SENTENCES * 20, TextConfig(size=400, placeholders=False))
    assert len(Symbols.of(vocabulary).sentinels) == 0


def test_spans_can_be_read_in_the_pieces(vocabulary: Tokenizer) -> None:
    noise = noises.build(noises.config("span-corruption")(), Symbols.of(vocabulary))
    tokens = np.array(vocabulary.encode(SENTENCES[0]), dtype=np.int64)
    source, target = noise.corrupt(tokens, np.random.default_rng(0))
    assert "<slot31>" in vocabulary.pieces(source.tolist())
    assert vocabulary.pieces(target.tolist())[0] == "<slot31>"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("span-corruption", TextConfig(placeholders=False), "set text.placeholders = true"),
        ("infilling", TextConfig(model="imported", placeholders=False), "noise 'infilling' puts <unk>"),
        ("masked", TextConfig(model="imported", placeholders=False), "use text.model = 'unigram' or 'bpe'"),
    ],
)
def test_what_does_not_go_with_a_text_section(kind: str, text: TextConfig, message: str) -> None:
    config = noises.config(kind)()
    assert message in str(noises[kind].why_not(config, text))
    assert noises[kind].why_not(config, TextConfig()) is None
    mixture = noises.config("mixture").model_validate_json(
        f'{{"noises": [{{"kind": "causal"}}, {{"kind": "{kind}"}}]}}'
    )
    assert message in str(noises["mixture"].why_not(mixture, text))
    assert noises["mixture"].why_not(mixture, TextConfig()) is None
