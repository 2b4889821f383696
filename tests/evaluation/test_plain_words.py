import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.evaluation.words import characters, plain_words, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  Two  dogs. ", ["Two", "dogs."]),
        ("我喜欢 iPhone手机。", ["我", "喜", "欢", "iPhone", "手", "机", "。"]),
        ("カメラ", ["カ", "メ", "ラ"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("", []),
    ],
)
def test_words_are_what_spaces_separate_or_characters(text, words):
    assert split_words(text) == words


def test_plain_words_have_neither_case_nor_punctuation():
    assert plain_words("The kid-friendly Café's £20 “offer”!") == ["the", "kid", "friendly", "café", "s", "20", "offer"]
    assert plain_words("हिन्दी, भाषा।") == ["हिन्दी", "भाषा"]
    assert plain_words("你好，世界") == ["你", "好", "世", "界"]


@given(st.text("aZ09 .,_-$'\n", max_size=30))
def test_in_ascii_plain_words_are_letters_and_digits(text):
    assert plain_words(text) == re.findall("[a-z0-9]+", text.lower())


def test_characters_have_one_space_and_none_within_text_without_spaces():
    assert characters(" a  b ") == "a b"
    assert characters("你 好 Tom 吗") == "你好 Tom 吗"
