"""Each filter on records it must keep and records it must drop."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from endash.corpora import Record, filters
from endash.corpora.keys import key_digest, source_key
from endash.errors import CorpusError

KEEP, DROP = True, False


def decide(kind: str, *pairs: tuple[str, str], **settings: Any) -> list[bool]:
    chosen = filters.build(filters.config(kind).model_validate(settings))
    return [chosen.keeps(Record(source, target)) for source, target in pairs]


def test_empty() -> None:
    assert decide("empty", ("a", "b"), ("", "b"), ("a", " \t\u3000")) == [KEEP, DROP, DROP]


def test_too_long() -> None:
    pairs = [("ab cd", "ab"), ("a b c", "a"), ("a", "abcdef")]
    assert decide("too_long", *pairs, characters=5) == [KEEP, KEEP, DROP]
    assert decide("too_long", *pairs, words=2) == [KEEP, DROP, KEEP]
    assert decide("too_long", *pairs, words=2, characters=5) == [KEEP, DROP, DROP]
    with pytest.raises(ValidationError, match="the filter too_long needs a limit"):
        decide("too_long")


def test_length_ratio_lets_short_texts_differ() -> None:
    pairs = [("OK", "Einverstanden"), ("x" * 100, "y" * 20), ("x" * 20, "y" * 111), ("x" * 20, "y" * 110)]
    assert decide("length_ratio", *pairs) == [KEEP, KEEP, DROP, KEEP]
    assert decide("length_ratio", *pairs, ratio=2.0) == [KEEP, DROP, DROP, DROP]


def test_duplicates() -> None:
    pairs = [("a", "b"), ("a", "c"), ("a", "b"), ("ab", ""), ("", "ab")]
    assert decide("duplicates", *pairs) == [KEEP, KEEP, DROP, KEEP, KEEP]
    assert decide("duplicates", *pairs, by="source") == [KEEP, DROP, DROP, KEEP, KEEP]


def test_untranslated() -> None:
    pairs = [("Wi-Fi {name}", "WiFi %s"), ("Open", "open!"), ("100 %", "100%"), ("Open", "Offen")]
    assert decide("untranslated", *pairs) == [DROP, DROP, DROP, KEEP]


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("zh-Hans", "使用 Google Assistant", "Google Assistant"),
        ("ja", "ファイルを開く", "열다"),
        ("ja_JP", "コーヒー", "файл"),
        ("ko", "열다", "ファイル"),
        ("ru", "файл", "file"),
        ("el", "αρχείο", "файл"),
        ("ar", "ملف", "קובץ"),
        ("he", "קובץ", "ملف"),
        ("de", "Straße", "Улица"),
        ("greek", "αρχείο", "file"),
        ("en", "Ｆｕｌｌ width", "全角"),
    ],
)
def test_wrong_script(language: str, right: str, wrong: str) -> None:
    pairs = [("x", right), ("x", wrong), ("x", "12 %"), ("x", f"<b>{right}</b> {{placeholder_in_latin}}")]
    assert decide("wrong_script", *pairs, target=language) == [KEEP, DROP, KEEP, KEEP]
    assert decide("wrong_script", (wrong, "x"), source=language) == [DROP]


def test_wrong_script_by_share() -> None:
    assert decide("wrong_script", ("x", "ab汉字"), target="zh", share=0.5) == [KEEP]
    assert decide("wrong_script", ("x", "ab汉字"), target="zh", share=0.51) == [DROP]


def test_wrong_script_of_an_unknown_language_asks_for_the_script() -> None:
    with pytest.raises(
        ValidationError, match=r"'tlh' is no language or script that is known here: give its script; .*allowed: arabic"
    ):
        decide("wrong_script", target="tlh")
    with pytest.raises(ValidationError, match="needs a language or a script"):
        decide("wrong_script")
    assert issubclass(CorpusError, ValueError)


def test_placeholders() -> None:
    pairs = [("{a} of %s", "%s von {a}"), ("{a}", "{b}"), ("%s %s", "%s"), ("<b>x</b>", "x"), ("plain", "schlicht")]
    assert decide("placeholders", *pairs) == [KEEP, DROP, DROP, DROP, KEEP]


@pytest.mark.parametrize(
    ("kind", "other", "settings"),
    [
        ("empty", " ", {}),
        ("too_long", "abcdef", {"characters": 5}),
        ("length_ratio", "y" * 111, {}),
        ("untranslated", "X!", {}),
        ("wrong_script", "файл", {"target": "de"}),
        ("placeholders", "{a}", {}),
    ],
)
def test_each_of_several_targets_counts(kind: str, other: str, settings: dict[str, Any]) -> None:
    chosen = filters.build(filters.config(kind).model_validate(settings))
    assert chosen.keeps(Record("x", "one", targets=("one", "two")))
    assert not chosen.keeps(Record("x", "one", targets=("one", other)))


def test_duplicates_have_the_same_targets_all_of_them() -> None:
    chosen = filters.build(filters.config("duplicates").model_validate({}))
    assert [chosen.keeps(Record("x", "a", targets=("a", last))) for last in "bcb"] == [KEEP, KEEP, DROP]


@pytest.mark.parametrize(
    "text", ["delete {count} files?", "Delete %d Files", "DELETE 12 <b>files</b>…", "delete\tfiles\n"]
)
def test_near_duplicates_have_one_key(text: str) -> None:
    assert source_key(text) == "deletefiles"


def test_keys_are_the_same_on_every_machine() -> None:
    assert key_digest("Delete {count} files?") == 0x256AD68F14530F25
    assert source_key("日本語 100%") == "日本語"


@given(st.text())
def test_any_text_has_a_key(text: str) -> None:
    assert source_key(text) == source_key(text + " 1!")
    assert 0 <= key_digest(text.encode("utf-8", "replace").decode()) < 2**64
