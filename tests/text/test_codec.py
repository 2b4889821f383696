import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.errors import TextError
from endash.text.codec import Codec, EncodedSource
from endash.text.config import TextConfig
from endash.text.tokenizer import EOS, SEP, UNK

A, B, C, D = "{name}", "%s", "<b>", "</b>"
PARTS = [A, B, C, D, "%1$s", "{{x}}", " ", "door ", "Öffne", "<slot0>", "\u2581", "门", "%%s", "{"]


def test_placeholders_become_slots(codec: Codec) -> None:
    encoded = codec.encode_source(f"{A} of {B}: {A}, {C}x{D}")
    assert encoded.placeholders == (A, B, C, D)
    assert [token for token in encoded.tokens if 5 <= token < 37] == [5, 6, 5, 7, 8]
    assert encoded.tokens[-1] == EOS
    assert codec.required_slots(encoded.tokens) == {5: 2, 6: 1, 7: 1, 8: 1}
    assert list(codec.slot_ids(encoded.placeholders)) == [5, 6, 7, 8]


def test_targets_use_the_slots_of_their_source(codec: Codec) -> None:
    tokens = codec.encode_target(f"{B} door {A} {{other}}", (A, B))
    assert [token for token in tokens if 5 <= token < 37] == [6, 5]
    assert tokens.count(EOS) == 1
    assert codec.decode_target(tokens, (A, B)) == f"{B} door {A} {{other}}"
    assert codec.decode_target(tokens, ("{x}",)) == "door {x} {other}"
    assert codec.decode_target([*tokens, *tokens], (A, B)) == f"{B} door {A} {{other}}"


def test_a_pair_is_one_passage(codec: Codec, separate: Codec) -> None:
    passage = codec.encode_pair(f"door {B}", f"Tür {B}", placeholders=(A, B))
    source, target = passage[: passage.index(SEP)], passage[passage.index(SEP) + 1 : -1]
    assert passage[-1] == EOS
    assert [codec.source.decode(part, (A, B)) for part in (source, target)] == [f"door {B}", f"Tür {B}"]
    assert (source.count(6), target.count(6)) == (1, 1)
    passage = separate.encode_pair("door", "Tür", placeholders=())
    assert separate.source.decode(passage) == "doorTür" or separate.source.decode(passage) == "door Tür"


def test_a_pair_borrows_the_slots_that_it_leaves_free(codec: Codec) -> None:
    passage = codec.encode_pair(f"{C} door {B} {D}", f"{B} {{x}} Tür {C}", placeholders=(A, B))
    slots = [token for token in passage if token == UNK or 5 <= token < 37]
    assert slots == [5, 6, UNK, 6, UNK, 5]  # C stands where A would; D and {x} are nothing that could be written
    assert "{" not in codec.source.decode(passage)


def test_the_33rd_placeholder_is_spelled(codec: Codec) -> None:
    text = " ".join(f"{{p{number}}}" for number in range(40))
    encoded = codec.encode_source(text)
    assert encoded.placeholders == tuple(f"{{p{number}}}" for number in range(32))
    assert len(codec.required_slots(encoded.tokens)) == 32
    assert (
        codec.decode_target(codec.encode_target(text, [f"{{p{number}}}" for number in range(40)]), encoded.placeholders)
        == text
    )


def test_every_text_round_trips(codec: Codec, separate: Codec) -> None:
    texts = st.lists(st.sampled_from(PARTS)).map("".join) | st.text()

    @given(texts, texts)
    def check(source: str, target: str) -> None:
        for each in (codec, separate):
            encoded = each.encode_source(source)
            assert each.source.decode(encoded.tokens, encoded.placeholders) == source
            assert each.decode_target(each.encode_target(target, encoded.placeholders), encoded.placeholders) == target

    check()


def test_batches_equal_one_by_one(codec: Codec, pairs: list[tuple[str, str]]) -> None:
    sources, targets = zip(*pairs, ("", ""), (A, f"{A}{A}"), strict=True)
    encoded = codec.encode_sources(sources)
    slots = [each.placeholders for each in encoded]
    assert encoded == [codec.encode_source(source) for source in sources]
    assert codec.encode_targets(targets, slots) == list(map(codec.encode_target, targets, slots))
    both = list(zip(sources, targets, strict=True))
    assert codec.encode_pairs(both, slots) == [
        codec.encode_pair(*pair, placeholders=known) for pair, known in zip(both, slots, strict=True)
    ]
    assert codec.encode_sources([]) == []
    assert codec.encode_source("") == EncodedSource([EOS], ())


def test_without_placeholders_all_is_text(separate: Codec) -> None:
    encoded = separate.encode_source(f"{A} {B}")
    assert encoded.placeholders == ()
    assert not separate.required_slots(encoded.tokens)
    assert list(separate.slot_ids((A, B))) == []


def test_placeholders_are_not_learned() -> None:
    def letters(placeholders: bool) -> set[str]:
        config = TextConfig(size=1000, placeholders=placeholders)
        vocabulary = Codec.train(lambda: [("door {p}", "Tür %s")] * 50, config).source
        return set("".join(vocabulary.pieces(range(len(vocabulary) - len("door Tür{p}%s"), len(vocabulary)))))

    assert not letters(True) & set("{p}%")
    assert letters(False) >= set("{p}%")


def test_joint_and_separate(codec: Codec, separate: Codec) -> None:
    assert codec.source is codec.target
    assert codec.size_source == codec.size_target == len(codec.source)
    assert any("Tür" in piece for piece in separate.target.pieces(range(separate.size_target)))
    assert not any("Tür" in piece for piece in separate.source.pieces(range(separate.size_source)))


def test_notes_tell_of_a_vocabulary_that_is_not_filled(codec: Codec) -> None:
    assert bool(codec.notes) == (codec.size_source < 400)
    small = Codec.train(lambda: [("hi", "ho")], TextConfig(size=8000, joint=False))
    assert [note.split(":")[0] for note in small.notes] == [
        f"the {side} vocabulary has {size} tokens instead of text.size = 8000"
        for side, size in (("source", small.size_source), ("target", small.size_target))
    ]


def test_long_sources_are_split_or_refused(codec: Codec) -> None:
    text = "The door is open. " * 6
    assert codec.fits("The door is open.")
    assert not codec.fits(text)
    split = codec.split_source(text)
    assert split == [("The door is open.", " ")] * 6
    assert codec.split_source("  x ") == [("  x ", "")]
    with pytest.raises(TextError, match=r"\d\d+ tokens, but text.max_length = 24; it begins 'The lights The lights"):
        codec.split_source("The lights " * 40)


def test_save_and_load(codec: Codec, separate: Codec, tmp_path: Path) -> None:
    for each, files in ((codec, {"joint.spm", "text.json"}), (separate, {"source.spm", "target.spm", "text.json"})):
        folder = tmp_path / each.fingerprint()
        each.save(folder)
        assert {path.name for path in folder.iterdir()} == files
        loaded = Codec.load(folder)
        assert loaded.config == each.config
        assert loaded.fingerprint() == each.fingerprint()
        assert loaded.encode_sources(["Open {x}"]) == each.encode_sources(["Open {x}"])
        assert (loaded.source is loaded.target) == each.config.joint


def test_fingerprint_follows_what_changes_tokens(codec: Codec) -> None:
    def fingerprint(**changes: object) -> str:
        return Codec(codec.source, codec.target, config=codec.config.model_copy(update=changes)).fingerprint()

    assert fingerprint(max_length=99) == codec.fingerprint()
    assert fingerprint(placeholders=False) != codec.fingerprint()


def test_errors_of_folders(codec: Codec, separate: Codec, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"text\.json: No such file or directory; copy the whole folder"):
        Codec.load(tmp_path)
    codec.save(tmp_path)
    (tmp_path / "joint.spm").unlink()
    with pytest.raises(TextError, match=r"no vocabulary at .*joint\.spm"):
        Codec.load(tmp_path)
    (tmp_path / "joint.spm").write_bytes(separate.source.model)
    with pytest.raises(TextError, match=r"joint\.spm was exchanged; copy the whole folder"):
        Codec.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "Expecting"),
        ("[]", "list indices"),
        ("{}", "'text'"),
        (json.dumps({"text": {"size": "many"}}), "valid integer"),
        (json.dumps({"text": {"colour": 1}}), "not permitted"),
        (json.dumps({"text": 3}), "valid dictionary|Input should be an object"),
    ],
)
def test_errors_of_settings(content: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text(content, encoding="utf-8")
    with pytest.raises(TextError, match=rf"text\.json does not hold a model's text settings: .*({found})"):
        Codec.load(tmp_path)
