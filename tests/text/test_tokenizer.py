import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.errors import CorpusError, TextError
from endash.text.codec import Codec
from endash.text.config import TextConfig
from endash.text.tokenizer import BOS, EOS, FIRST_SLOT, PAD, SEP, SLOTS, UNK, Tokenizer

SIDES = ["Open the door", "Öffne die Tür", "Turn off the lights", "Schalte die Lichter aus"] * 9
ODD = [
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<sep>",
    "<slot0>",
    "<0x41>",
    "\u2581",
    "\u2585",
    "\0",
    "\r\n",
    "\t",
    "\ue000",
    "\ufffd",
]
ODD += ["👩‍👩‍👧", "e\u0301", "ﬁ", "\ufeff", " ", "\u3000", "\xa0", " ⁇ ", "\U0010ffff", "{name}", "<b>", "door"]


def test_every_text_of_odd_parts_round_trips(codec: Codec, separate: Codec) -> None:
    @given(st.lists(st.sampled_from(ODD)).map("".join) | st.text())
    def check(text: str) -> None:
        for vocabulary in (codec.source, separate.source, separate.target):
            ids = vocabulary.encode(text)
            assert vocabulary.decode(ids) == text
            assert all(token > SEP for token in ids)

    check()


def test_every_character_round_trips(separate: Codec) -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    rows = ["".join(characters[start : start + 500]) for start in range(0, len(characters), 500)]
    encoded = separate.source.encode_parts([[row] for row in rows])
    assert [separate.source.decode(ids) for ids in encoded] == rows


def test_a_very_long_text(codec: Codec) -> None:
    text = "The door is open. " * 20_000 + "x" * 20_000
    assert codec.source.decode(codec.source.encode(text)) == text


def test_parts_are_encoded_as_they_stand(codec: Codec) -> None:
    vocabulary = codec.source
    together = vocabulary.encode_parts([["Open ", 7, " door"], [7, "", 8], [], ["", 7], ["a\u2581", 5]])
    assert [vocabulary.decode(ids, tuple("abcdefgh")) for ids in together] == ["Open c door", "cd", "", "c", "a\u2581a"]
    assert [[token for token in ids if token < FIRST_SLOT + SLOTS] for ids in together] == [[7], [7, 8], [], [7], [5]]


def test_bytes_that_are_not_utf8_become_replacement_characters(codec: Codec) -> None:
    first_byte = FIRST_SLOT + SLOTS
    assert codec.source.decode([first_byte + 0x61, first_byte + 0xE2, first_byte + 0x96]) == "a\ufffd"

    @given(st.lists(st.integers(0, len(codec.source) - 1)))
    def check(ids: list[int]) -> None:
        codec.source.decode(ids).encode()

    check()


def test_special_ids_and_names(codec: Codec, separate: Codec) -> None:
    assert (PAD, UNK, BOS, EOS, SEP) == (0, 1, 2, 3, 4)
    assert codec.source.pieces([0, 1, 2, 3, 4, 5, 36, 37]) == [
        "<pad>",
        "<unk>",
        "<s>",
        "</s>",
        "<sep>",
        "<slot0>",
        "<slot31>",
        "<0x00>",
    ]
    assert codec.source.pieces([5, 6], ("{name}",)) == ["{name}", "<slot1>"]
    assert (codec.source.slots, separate.source.slots) == (32, 0)
    assert separate.source.pieces([5]) == ["<0x00>"]
    assert codec.source.decode([BOS, *codec.source.encode("door"), EOS, PAD]) == "door"


@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_a_small_corpus_gives_what_it_has(model: str) -> None:
    vocabulary = Tokenizer.train(["hi"], TextConfig.model_validate({"model": model, "size": 8000}))
    assert 293 < len(vocabulary) < 310
    assert vocabulary.decode(vocabulary.encode("hi 你好")) == "hi 你好"


def test_the_same_texts_give_the_same_bytes() -> None:
    config = TextConfig(size=350)
    assert Tokenizer.train(iter(SIDES), config).model == Tokenizer.train(iter(SIDES), config).model
    assert Tokenizer.train(SIDES[:2], config).model != Tokenizer.train(SIDES, config).model


def test_long_lines_and_line_breaks_are_learned_from() -> None:
    vocabulary = Tokenizer.train(["lantern lamp\n" * 1000, "lantern lamp " * 1000], TextConfig(size=8000))
    assert vocabulary.pieces(vocabulary.encode("lantern lamp")) == ["▁lantern", "▁lamp"]
    assert not any("\n" in piece for piece in vocabulary.pieces(range(len(vocabulary))))


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_error_without_text(texts: list[str]) -> None:
    with pytest.raises(TextError, match="no text to learn a vocabulary from: is the corpus empty"):
        Tokenizer.train(texts, TextConfig())


def test_error_when_the_characters_do_not_fit() -> None:
    with pytest.raises(TextError, match=r"text.size = 300 has no room .* use at least (59\d|60\d)"):
        Tokenizer.train([chr(code) for code in range(0x4E00, 0x4F2C)] * 3, TextConfig(size=300))


def test_what_stops_the_texts_comes_through() -> None:
    def broken() -> Iterator[str]:
        yield "fine"
        raise CorpusError("line 2 is broken")

    with pytest.raises(CorpusError, match="line 2 is broken"):
        Tokenizer.train(broken(), TextConfig())


def test_error_names_what_is_not_unicode(codec: Codec) -> None:
    with pytest.raises(TextError, match=r"'\\udc80' at character 3 of .*read the file in the encoding"):
        codec.source.encode("do\u2581\udc80r")
    with pytest.raises(TextError, match="not Unicode text"):
        Tokenizer.train(["do\ud800r"], TextConfig())


def test_save_load_and_pickle(codec: Codec, tmp_path: Path) -> None:
    codec.source.save(tmp_path / "v.spm")
    text = "Turn off the kitchen"
    for copy in (Tokenizer.load(tmp_path / "v.spm"), pickle.loads(pickle.dumps(codec.source))):
        assert copy.model == codec.source.model
        assert copy.encode(text) == codec.source.encode(text)


def test_errors_of_files(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"no vocabulary at .*v\.spm: No such file.*copy the whole folder"):
        Tokenizer.load(tmp_path / "v.spm")
    (tmp_path / "v.spm").write_bytes(b"no model")
    with pytest.raises(TextError, match=r"v\.spm: this is not a sentencepiece model \(8 bytes\)"):
        Tokenizer.load(tmp_path / "v.spm")


def test_error_of_a_foreign_model(tmp_path: Path) -> None:
    import sentencepiece

    prefix = str(tmp_path / "v")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SIDES), model_prefix=prefix, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )
    with pytest.raises(TextError, match="was not made here: it must begin with <pad> <unk>"):
        Tokenizer.load(tmp_path / "v.model")
