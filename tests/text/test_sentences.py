import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.errors import TextError
from endash.text.sentences import split_text


def up_to(limit: int):
    return lambda piece: len(piece) <= limit


def pieces(text: str, limit: int) -> list[str]:
    return [piece for piece, _ in split_text(text, up_to(limit))]


def test_a_text_that_fits_stays_whole() -> None:
    text = "  One. Two.\nThree. "
    assert split_text(text, up_to(100)) == [(text, "")]
    assert split_text("", up_to(0)) == [("", "")]


def test_lines_then_sentences() -> None:
    text = " One two. \n\n Three four! Five six? \r\nSeven.\n"
    assert split_text(text, up_to(22)) == [
        ("", " "),
        ("One two.", " \n\n "),
        ("Three four! Five six?", " \r\n"),
        ("Seven.", "\n"),
    ]
    assert pieces(text, 12) == ["", "One two.", "Three four!", "Five six?", "Seven."]


@pytest.mark.parametrize(
    "sentence",
    [
        *(
            "Ask Dr. Smith or Mr. Jones now.",
            "Es kommt am 3. Mai an.",
            "Use 3.50 or v2.0 of it.",
            "See e.g. Fig. 3 here.",
        ),
        *(
            "Das ist z. B. Wien oder d. h. Rom.",
            "Why? he asked and left.",
            "J. S. Bach wrote it all.",
            "Saved... and closed.",
        ),
        *("Press <a title='Go. Now. Then.'>here</a>.", "Yahoo! is a company, yes."),
    ],
)
def test_no_end_within_a_sentence(sentence: str) -> None:
    text = f"{sentence} {sentence}"
    assert split_text(text, up_to(len(sentence))) == [(sentence, " "), (sentence, "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好。今天天气很好！“真的吗？”他问；是的。", ["你好。", "今天天气很好！", "“真的吗？”", "他问；", "是的。"]),
        ('He said "Go!" (Really.) Then he left.', ['He said "Go!"', "(Really.)", "Then he left."]),
        ("नमस्ते। आप कैसे हैं। हाँ।", ["नमस्ते।", "आप कैसे हैं।", "हाँ।"]),
        ("Wait… Who is it?! Me.", ["Wait…", "Who is it?!", "Me."]),
    ],
)
def test_ends_of_several_scripts(text: str, expected: list[str]) -> None:
    assert pieces(text, max(map(len, expected))) == expected


def test_clauses_and_doubtful_ends_only_in_need() -> None:
    assert pieces("It is no. 3; it is Dr. Who. Yes.", 28) == ["It is no. 3; it is Dr. Who.", "Yes."]
    assert pieces("It is no. 3; it is Dr. Who. Yes.", 13) == ["It is no.", "3;", "it is Dr.", "Who.", "Yes."]


def test_error_names_the_sentence() -> None:
    with pytest.raises(TextError, match=r"90 characters; it begins 'xxxxxx.*two or more sentences"):
        split_text("Short one. " + "x" * 90, up_to(50))
    with pytest.raises(TextError, match="90 tokens of 50"):
        split_text("x" * 90, up_to(50), tell=lambda sentence: f"{len(sentence)} tokens of 50")


@given(st.text(st.sampled_from("aB1.!?…。；;: \n\r\t\u2028\u3000\"')<>{}%s")), st.integers(0, 40))
def test_nothing_is_lost(text: str, limit: int) -> None:
    try:
        split = split_text(text, up_to(limit))
    except TextError:
        return
    assert "".join(piece + separator for piece, separator in split) == text
    assert all(len(piece) <= limit for piece, _ in split)
    assert all(not separator.strip() for _, separator in split)
    assert all(piece for piece, _ in split[1:])


@pytest.mark.parametrize("unit", [" ", ".", "!", ")", "\n", ". ", "。", "A. ", "; ", "<a b=", "Mr. "])
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """A quadratic pattern would not come back within minutes."""
    text = unit * 50_000 + "x"
    try:
        assert "".join(piece + separator for piece, separator in split_text(text, up_to(40))) == text
    except TextError as error:
        assert "characters" in str(error)  # noqa: PT017
