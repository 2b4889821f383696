"""A sentencepiece model from elsewhere: text is spelled as sentencepiece itself spells it."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from endash.errors import RecipeError, TextError
from endash.recipe import Recipe
from endash.text import BOS, EOS, PAD, Codec, ImportedTokenizer, TextConfig, Tokenizer

TEXTS = ["Open the door", "Öffne die Tür", "Turn off the lights", "Schalte die Lichter aus"] * 9
ODD = ["Open  the door ", "ﬁne Öffne", "", "door 门 door", " ", "tab\tTür", "{name} <b>lights</b>", "<s> </s> <pad>"]
CONFIG = TextConfig(model="imported", size=300, placeholders=False, max_length=24)


def train(**settings: object) -> bytes:
    model, ids = io.BytesIO(), {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3}
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, minloglevel=2, hard_vocab_limit=False, vocab_size=60,
        **ids | settings,
    )  # fmt: skip
    return model.getvalue()


@pytest.fixture(scope="module")
def model() -> bytes:
    """A model as sentencepiece trains it: normalising, and with characters that it does not know."""
    return train()


@pytest.fixture(scope="module")
def codec(model: bytes) -> Codec:
    both = ImportedTokenizer(model)
    return Codec(both, both, config=CONFIG)


def test_text_is_spelled_as_sentencepiece_spells_it(model: bytes, codec: Codec) -> None:
    peer = SentencePieceProcessor(model_proto=model)
    for text in [*TEXTS, *ODD]:
        ids = peer.encode(text)
        assert codec.encode_source(text).tokens == [*ids, EOS]
        assert codec.encode_target(text, ()) == [*ids, EOS]
        assert codec.decode_target([*ids, EOS, 7], ()) == peer.decode(ids)
    assert len(codec.source) == len(peer)
    assert codec.encode_source("{name}").placeholders == ()
    assert codec.source.pieces([0, 3, 4]) == [peer.id_to_piece(i) for i in (0, 3, 4)]


def test_nothing_but_padding_and_the_start_is_kept_from_being_written(codec: Codec) -> None:
    """Its id 4 is a word, where a vocabulary trained here has sep, and it may have learned to write unk."""
    assert codec.target.never_written == (PAD, BOS)
    assert not codec.required_slots(range(40))


def test_saved_and_loaded_it_spells_the_same(codec: Codec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    loaded = Codec.load(tmp_path)
    assert isinstance(loaded.source, ImportedTokenizer)
    assert loaded.source is loaded.target
    assert loaded.encode_sources(ODD) == codec.encode_sources(ODD)
    again = pickle.loads(pickle.dumps(codec.source))
    assert isinstance(again, ImportedTokenizer)
    assert again.encode_parts([["door"]]) == codec.source.encode_parts([["door"]])


def test_a_vocabulary_trained_here_spells_otherwise_when_it_is_imported() -> None:
    own = Tokenizer.train(TEXTS, TextConfig(size=320, placeholders=False))
    imported = ImportedTokenizer(own.model)
    assert own.encode("door") != imported.encode("door")
    one, other = Codec(own, own, config=TextConfig(placeholders=False)), Codec(imported, imported, config=CONFIG)
    assert one.fingerprint() != other.fingerprint()


def test_other_special_ids_are_refused_by_name() -> None:
    with pytest.raises(TextError, match=r"has pad_id = -1 and unk_id = 0 and bos_id = 1 and eos_id = 2, and a vocab"):
        ImportedTokenizer(train(pad_id=-1, unk_id=0, bos_id=1, eos_id=2))
    with pytest.raises(TextError, match=r"^this is not a sentencepiece model \(4 bytes\)"):
        ImportedTokenizer(b"spam")


def test_settings_tell_where_a_vocabulary_comes_from(codec: Codec) -> None:
    with pytest.raises(TextError, match=r"text.model = 'bpe', and the vocabulary was imported: set text.model = 'imp"):
        Codec(codec.source, codec.target, config=TextConfig(model="bpe"))
    own = Tokenizer.train(TEXTS, TextConfig(size=320))
    with pytest.raises(TextError, match=r"text.model = 'imported', and the vocabulary was trained here: set"):
        Codec(own, own, config=CONFIG)
    with pytest.raises(TextError, match=r"learns no vocabulary: name the imported model in \[trained\]"):
        Codec.train(lambda: [("a", "b")], CONFIG)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("text.placeholders=true", "has no tokens that stand for placeholders: set text.placeholders = false"),
        ("retrieval={passages=1}", "has no token between the source and the target of a passage: leave"),
    ],
)
def test_a_recipe_does_not_ask_for_what_it_has_not(setting: str, reason: str) -> None:
    recipe = """
    name = "imported"
    corpus = { train = { kind = "tsv", path = "pairs.tsv" } }
    text = { model = "imported", placeholders = false }
    encoder = { kind = "transformer" }
    link = { kind = "cross-attention" }
    decoder = { kind = "transformer" }
    """
    Recipe.parse(recipe)
    with pytest.raises(RecipeError) as refused:
        Recipe.parse(recipe, [setting])
    assert reason in str(refused.value)


def test_what_is_not_unicode_is_told(codec: Codec) -> None:
    with pytest.raises(TextError, match="at character 5 of 'door"):
        codec.encode_source("door \ud800")
