"""Labels as the vocabulary of a target."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from endash.errors import TextError
from endash.text import EOS, FIRST_LABEL, UNK, Codec, ImportedTokenizer, Labels, TextConfig, Tokenizer

NAMES = ["card_arrival", "I-group", "a<div>b", "%s", "O", "标签", " spaced  out "]
APART = TextConfig(size=380, joint=False, placeholders=False)


@pytest.fixture
def labels() -> Labels:
    return Labels.of([*NAMES, *NAMES[::-1]])


def test_each_name_is_one_token_after_the_special_ones(labels: Labels) -> None:
    assert labels.names == tuple(sorted(NAMES))
    assert len(labels) == FIRST_LABEL + len(NAMES)
    assert labels.ids(sorted(NAMES)) == list(range(FIRST_LABEL, len(labels)))
    assert labels.encode_parts([[name] for name in NAMES]) == [[one] for one in labels.ids(NAMES)]
    assert [labels.decode(labels.encode(name)) for name in NAMES] == NAMES
    assert labels.decode([0, 2, *labels.ids(["O", "%s"]), EOS]) == "O %s"
    assert labels.pieces([UNK, EOS, FIRST_LABEL]) == ["<unk>", "</s>", sorted(NAMES)[0]]
    assert labels.slots == 0


def test_labels_that_white_space_or_case_alone_tell_apart_are_named() -> None:
    assert Labels.of(["Open", "door ", "a  b", "open", "door", "a b", "ab", "OPEN"]).alike == [
        ("OPEN", "Open", "open"),
        ("a  b", "a b"),
        ("door", "door "),
    ]
    assert Labels.of(NAMES).alike == []


def test_a_few_of_many_labels_are_told() -> None:
    assert Labels.of("cab").told == "3 labels: a, b, c"
    assert Labels.of("abcdefghijklm").told == "13 labels: a, b, c, d, e, f, g, h, i, j, …"


def test_the_same_names_give_the_same_bytes_and_come_back(labels: Labels, tmp_path: Path) -> None:
    assert Labels.of(reversed(NAMES)).model == labels.model
    labels.save(tmp_path / "labels.json")
    for copy in (Labels.load(tmp_path / "labels.json"), pickle.loads(pickle.dumps(labels))):
        assert isinstance(copy, Labels)
        assert (copy.names, copy.model) == (labels.names, labels.model)


def test_what_is_no_label_is_refused_with_the_nearest(labels: Labels) -> None:
    with pytest.raises(
        TextError, match=r"the label 'card_arival' is none of the 7: did you mean 'card_arrival'\? allowed"
    ):
        labels.ids(["O", "card_arival"])
    with pytest.raises(TextError, match="the label '' is none of the 7"):
        labels.encode("")
    many = Labels.of(f"intent_{number}" for number in range(129))
    with pytest.raises(TextError, match=r"none of the 129: the nearest are 'intent_12', 'intent_\d+', 'intent_\d+'$"):
        many.ids(["intent_12x"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no labels to learn: is the corpus empty"),
        (["O", ""], "a label is empty: name it, or leave its records out"),
        (["a\ud800"], "is not Unicode text"),
    ],
)
def test_what_cannot_be_a_label_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(TextError, match=message):
        Labels.of(names)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "this is not a list of labels"),
        (b"[", "this is not a list of labels"),
        (b"{}", "labels are a list of different texts, none of them empty"),
        (b"[]", "labels are a list of different texts"),
        (b'["a", 3]', "labels are a list of different texts"),
        (b'["a", ""]', "labels are a list of different texts"),
        (b'["a", "a"]', "labels are a list of different texts"),
    ],
)
def test_a_file_of_something_else_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(TextError, match=rf"labels\.json: {message}"):
        Labels.load(tmp_path / "labels.json")
    with pytest.raises(TextError, match=r"no vocabulary at .*absent\.json"):
        Labels.load(tmp_path / "absent.json")


def test_a_codec_learns_the_source_alone_and_keeps_both(
    labels: Labels, pairs: list[tuple[str, str]], tmp_path: Path
) -> None:
    codec = Codec.train(lambda: pairs, APART, target=labels)
    assert codec.target is labels
    assert codec.source.encode_parts([["Tür"]]) != Codec.train(lambda: pairs, APART).target.encode_parts([["Tür"]])
    assert codec.encode_target("a<div>b", ()) == [*labels.ids(["a<div>b"]), EOS]
    assert codec.decode_target([*labels.ids(["O"]), EOS], ()) == "O"
    assert not [note for note in codec.notes if "target" in note]
    codec.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.json", "source.spm", "text.json"]
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == sorted(NAMES)
    loaded = Codec.load(tmp_path)
    assert isinstance(loaded.target, Labels)
    assert (loaded.target.names, loaded.fingerprint()) == (labels.names, codec.fingerprint())
    Labels.of(NAMES[1:]).save(tmp_path / "labels.json")
    with pytest.raises(TextError, match=r"labels\.json was exchanged; copy the whole folder"):
        Codec.load(tmp_path)


def test_labels_go_with_an_imported_source_and_with_no_joint_one(labels: Labels, codec: Codec, tmp_path: Path) -> None:
    assert isinstance(codec.source, Tokenizer)
    imported = TextConfig(model="imported", size=400, joint=False, placeholders=False)
    Codec(ImportedTokenizer(codec.source.model), labels, config=imported).save(tmp_path)
    loaded = Codec.load(tmp_path)
    assert isinstance(loaded.source, ImportedTokenizer)
    assert isinstance(loaded.target, Labels)
    with pytest.raises(TextError, match=r"the labels of this target are another: set text\.joint = false"):
        Codec(codec.source, labels, config=codec.config)
    with pytest.raises(TextError, match=r"learns no vocabulary: name the imported model in \[trained\]"):
        Codec.train(lambda: [("a", "O")], imported, target=labels)
