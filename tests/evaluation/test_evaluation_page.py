import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from endash.evaluation.compare import compare
from endash.evaluation.curves import Curve
from endash.evaluation.evaluate import evaluate
from endash.evaluation.page import page

EVIL = '<img src=x onerror="alert(1)">{{style}}&amp;'
VOID = {"meta", "br", "img", "link"}


class Reader(HTMLParser):
    """The elements of a page, its text, and whether every one that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data + "\n"

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def labels(wrong=1, *, confidence=True):
    gold = ["yes", "no", "maybe", "no"] * 5
    answers = ["no"] * wrong + gold[wrong:]
    return evaluate(
        answers, gold, metrics=["accuracy", "macro_f1"], sources=[f"text {n}" for n in range(20)], confidence=confidence
    )


def test_a_page_shows_figures_labels_confusions_and_mistakes():
    found = Reader(page({"runs/one": labels()}, title="one on test.tsv"))
    assert "one on test.tsv" in found.text
    for word in ("accuracy ↑", "macro F1 ↑", "0.950", "weighted", "maybe", "text 0", "taken for"):
        assert word in found.text
    classes = [attrs.get("class") for attrs in found.all("table")]
    assert classes == ["figures", "labels", "matrix"]
    assert len(found.all("article")) == 1
    assert "macro_f1|labels:3|average:macro|bs:1000|seed:12345" in found.text


def test_a_page_shows_the_figures_of_each_family():
    whole = replace(labels(), families={"one <b>": labels(wrong=0), "two": labels(wrong=4)})
    found = Reader(page({"a": whole, "b": labels()}, title="a"))
    assert "By family · a" in found.text
    assert "By family · b" not in found.text
    rows = found.text[found.text.index("By family") :].split("\n")
    assert rows.index("one <b>") < rows.index("1.000") < rows.index("two") < rows.index("0.900")


def test_the_lowest_f1_comes_first_after_the_averages():
    text = page({"a": evaluate(["b", "b", "c"], ["a", "b", "c"], metrics=["accuracy"])}, title="a")
    table = text[text.index('class="labels"') : text.index('class="matrix"')]
    assert re.findall(r'scope="row" title="(\w+)"', table) == ["micro", "macro", "weighted", "a", "b", "c"]
    other = page({"a": evaluate(["a", "a", "c"], ["a", "b", "c"], metrics=["accuracy"])}, title="a")
    table = other[other.index('class="labels"') : other.index('class="matrix"')]
    assert re.findall(r'scope="row" title="(\w+)"', table)[3:] == ["b", "a", "c"]


def test_a_page_stands_alone_and_runs_nothing():
    text = page({"a": labels()}, title="a")
    found = Reader(text)
    assert not found.all("script")
    assert not found.all("link")
    assert "http" not in text.replace("http-equiv", "")
    policy = next(attrs["content"] for attrs in found.all("meta") if "http-equiv" in attrs)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "prefers-color-scheme: dark" in text


def test_two_systems_stand_side_by_side():
    one, two = labels(1), labels(9)
    found = Reader(page({"one": one, "two": two}, title="both", comparison=compare(one, two)))
    for word in ("difference", "-0.200", "Labels · one", "Labels · two", "Worst answers · two"):
        assert word in found.text
    assert sum(attrs.get("class") == "range" for attrs in found.all("svg")) == 4


def test_a_p_value_is_never_nothing():
    one, two = labels(1), labels(9)
    both = compare(one, two)
    both = replace(both, differences=tuple(replace(row, p=0.0001) for row in both.differences))
    assert "<td>&lt;0.001</td>" in page({"one": one, "two": two}, title="both", comparison=both)


def test_no_text_is_taken_for_markup():
    texts = evaluate([EVIL, "b"], ["a", EVIL], sources=[EVIL, "x"], metrics=["chrf"])
    names = evaluate([EVIL, "b"], ["b", EVIL], metrics=["accuracy"])
    tags = evaluate([[EVIL, "O"]], [["O", EVIL]], sources=[f"{EVIL} b"], metrics=["accuracy"])
    for one in (texts, names, tags):
        text = page({EVIL: one, "b": one}, title=EVIL, curves={EVIL: [Curve(EVIL, ((1, 2.0),))]})
        found = Reader(text)
        assert found.all("img") == []
        assert {name for _, attrs in found.tags for name in attrs}.isdisjoint({"onerror", "src", "alert(1)"})
        for attrs in found.all("th"):
            assert attrs.get("title") in (None, EVIL, "b", "O", "micro", "macro", "weighted")
        assert "{{style}}" in text


def test_of_many_labels_the_most_confused_are_shown():
    gold = [f"label{n:02}" for n in range(40)] * 2
    answers = [f"label{(n + 1) % 40:02}" if n < 10 else label for n, label in enumerate(gold)]
    text = page({"a": evaluate(answers, gold, metrics=["accuracy"])}, title="a")
    matrix = text[text.index('<table class="matrix">') :]
    matrix = matrix[: matrix.index("</table>")]
    assert matrix.count('scope="row"') == 30
    assert 'title="label09"' in matrix
    assert 'title="label39"' not in matrix
    assert "Of 40 labels the 30 that take part in most mistakes" in text
    assert 'title="label00 → label01: 1 of 2"' in matrix


def test_wrong_labels_stand_by_their_probability_with_their_place():
    found = evaluate(
        ["a", "a", "b"],
        ["b", "b", "b"],
        metrics=["accuracy"],
        where=["<it>.tsv:2", "", "<it>.tsv:4"],
        probabilities=[[0.25], [0.75], [1.0]],
    )
    text = page({"a": found}, title="a")
    assert "By the probability of the wrong answer, the 2 most probable first." in text
    assert re.findall('class="rank">(.*?) <b>(.*?)</b>', text) == [("record 2", "0.750"), ("&lt;it&gt;.tsv:2", "0.250")]


def test_tags_are_shown_word_by_word():
    found = evaluate([["O", "O"]], [["B-PER", "O"]], sources=["Anna sleeps"], metrics=["entity_f1"])
    text = page({"a": found}, title="a")
    assert "<h2>Entities</h2>" in text
    assert '<span class="word wrong">Anna<small>B-PER, not O</small></span>' in text
    assert '<span class="word">sleeps<small>O</small></span>' in text
    without = page({"a": evaluate([["O", "O"]], [["B-PER", "O"]], metrics=["entity_f1"])}, title="a")
    assert '<span class="word wrong"><small>B-PER, not O</small></span>' in without


def test_the_range_is_told_as_it_is_made():
    middle = "that under BLEU, TER is as wide and has their mean in its middle, as sacrebleu gives it"
    for metrics, told in ((["bleu", "wer", "ter"], True), (["wer"], False)):
        assert (middle in page({"a": evaluate(["b"], ["b"], metrics=metrics)}, title="a")) == told


def test_figures_without_intervals_records_or_mistakes_are_pages_too():
    perfect = evaluate(["a"], ["a"], metrics=["chrf", "distinct-1"])
    text = Reader(page({"a": perfect}, title="a")).text
    assert "Worst answers" not in text
    assert "distinct-1 does not add up" in text
    nothing = evaluate([["O"]], [["O"]], metrics=["entity_f1"], confidence=True)
    Reader(page({"a": nothing}, title="a"))


@pytest.mark.parametrize("graded", [True, False])
def test_worst_answers_carry_their_figure_where_it_differs(graded):
    answers = ["a b", "x"] if graded else ["x", "y"]
    text = page({"a": evaluate(answers, ["a b c", "a b c"], metrics=["rouge-1"])}, title="a")
    assert ("By ROUGE-1, the 2 worst first" in text) == graded
    assert ("<b>80.0</b></p>" in text) == graded
