import pytest
from hypothesis import given
from hypothesis import strategies as st

from endash.text.placeholders import cut_at_placeholders, find_placeholders


@pytest.mark.parametrize(
    "placeholder",
    [
        *("{name}", "{0}", "{}", "{user.name}", "{x[0]!r:>8}", "{price:.2f}", "{ n }", "{n, number}", "{größe}"),
        *("{{x}}", "{{ states('sensor.a') }}", "${{ x }}", "${var}", "%{count}", "#{name}"),
        *("%s", "%d", "%i", "%r", "%@", "%-5d", "%05.2f", "%lld", "%1$s", "%2$d", "%(x)s", "%(count)d", "%(ratio).2f"),
        *("%Y", "%H", "%1"),
        *(
            "<b>",
            "</b>",
            "<br/>",
            "<br />",
            '<a href="https://example.org/?a=1&b=2">',
            "<a href='{url}'>",
            "<0>",
            "</0>",
        ),
        '<a  href = "a > b"\n target=_blank>',
    ],
)
def test_found_whole_in_a_sentence(placeholder: str) -> None:
    assert find_placeholders(placeholder) == [placeholder]
    assert find_placeholders(f"Open {placeholder}, then close.") == [placeholder]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "100 % of",
            "100% of",
            "100%sure",
            "50%",
            "5% discount",
            "%",
            "%%",
            "100%%s",
            "% s",
            "https://a.org/b%20c%3Ad",
        ),
        *("a < b", "a <b and c> d", "1 < 2 > 0", "<>", "<your name>", "x<-y->z", "<3"),
        *("{", "}", "{ }", "{{ }}", "{not a name}", '{"json": 1}', "$5", "$name", "(x)s"),
    ],
)
def test_ordinary_text_holds_none(text: str) -> None:
    assert find_placeholders(text) == []


def test_in_order_with_repeats() -> None:
    text = "<b>{a}</b> of %d: {a}, %(x)s%1$s <a href='{b}'>100 %</a>"
    assert find_placeholders(text) == ["<b>", "{a}", "</b>", "%d", "{a}", "%(x)s", "%1$s", "<a href='{b}'>", "</a>"]


def test_dates_and_neighbours() -> None:
    assert find_placeholders("%Y-%m-%d") == ["%Y", "%m", "%d"]
    assert find_placeholders("%dx%d px, %ds ago, {{{x}}}, {{y}") == ["%d", "%d", "%d", "{{x}}", "{y}"]


@given(st.text() | st.text("{}%<>$/ab=\"' 1s()[]!:.,"))
def test_pieces_join_to_the_text(text: str) -> None:
    pieces = cut_at_placeholders(text)
    assert "".join(pieces) == text
    assert pieces[1::2] == find_placeholders(text)


@pytest.mark.parametrize(
    "part", ["<a b=", '<a b="', "{", "{{", "{{ ", "%", "%(", "{a", "{a[0", "<a ", "<a b=c ", "< ", "{a, date "]
)
def test_hostile_text_takes_linear_time(part: str) -> None:
    """A quadratic pattern would not come back within minutes."""
    for text in (
        part * 30_000,
        "<a" + part * 30_000,
        part + "a" * 30_000,
        part + " " * 30_000,
        part + "1" * 30_000,
    ):
        find_placeholders(text)
