import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from endash.inspection import write_page
from endash.inspection.page import page

EVIL = (
    "▁</script><script>alert(1)</script>",
    "▁<img src=x onerror=alert(1)>",
    "<!--",
    "{{script}}",
    "&amp;",
    "'\"\u2028",
    "</s>",
)
VOID = {"meta", "br", "img", "link", "input"}


class Reader(HTMLParser):
    """The elements of a page, their attributes and the text in them; fails if one is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append((tag, self.elements[-1]))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1][1][2].append(data)

    def all(self, tag):
        return [("".join(text), attrs) for name, attrs, text in self.elements if name == tag]

    @property
    def data(self):
        return json.loads(next(text for text, attrs in self.all("script") if attrs.get("id") == "look"))


def test_the_page_holds_all_there_is_to_see(make_look):
    look = make_look()
    data = Reader(page(look)).data
    assert tuple(token["token"] for token in data["sourceTokens"]) == look.source_tokens
    assert tuple(token["token"] for token in data["targetTokens"]) == look.target_tokens
    assert (data["source"], data["target"]) == (look.source, look.target)
    weights = np.array(data["weights"]).reshape(look.weights.shape) / data["scale"]
    np.testing.assert_allclose(weights, look.weights, atol=0.5 / data["scale"] + 1e-9)
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=len(look.source_tokens) / data["scale"])
    similarity = np.array(data["similarity"]).reshape(look.similarity.shape) / data["scale"]
    np.testing.assert_allclose(similarity, look.similarity, atol=0.5 / data["scale"] + 1e-6)
    assert data["tokenScores"] == pytest.approx(look.token_scores, abs=1e-4)
    assert (data["score"], data["link"], data["model"]) == (look.score, look.link, look.model)


def test_the_page_shows_copies_of_a_model_that_copies(make_look):
    copied = np.linspace(0, 0.2, 20).reshape(4, 5)
    data = Reader(page(make_look(copied=copied))).data
    np.testing.assert_allclose(
        np.array(data["copied"]).reshape(4, 5) / data["scale"], copied, atol=0.5 / data["scale"] + 1e-9
    )
    assert Reader(page(make_look())).data["copied"] is None


def test_the_page_is_self_contained(make_look):
    text = page(make_look())
    assert not re.search(r"https?:|//[a-z]|url\(|@import|\b(src|href)\s*=", text)
    policy = next(attrs["content"] for _, attrs in Reader(text).all("meta") if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")


def test_the_page_has_a_title_and_a_language(make_look):
    found = Reader(page(make_look(source="A <b> & more " * 9)))
    (title, _), ((_, html)) = found.all("title")[0], found.all("html")[0]
    assert title.startswith("A <b> & more A <b> & more")
    assert len(title) < 100
    assert title.endswith("runs/small")
    assert html["lang"] == "en"


def test_no_text_is_taken_for_markup(make_look):
    plain = Reader(page(make_look(EVIL)))
    found = Reader(page(make_look(EVIL, EVIL, source=EVIL[0], target=EVIL[1], model="<i>", link="<i>", passages=())))
    assert [tag for tag, *_ in found.elements] == [tag for tag, *_ in plain.elements]
    assert len(found.all("script")) == 2
    assert tuple(token["token"] for token in found.data["sourceTokens"]) == EVIL
    assert found.data["source"] == EVIL[0]


def test_the_script_never_makes_markup_of_text(make_look):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page(make_look()))


def test_joined_passages_are_told_apart(make_look):
    data = Reader(page(make_look(segments=(0, 0, 0, 1, 1), passages=("a match · 83 %",)))).data
    assert data["passages"] == ["source", "a match · 83 %"]
    assert data["segments"] == [0, 0, 0, 1, 1]
    assert sum(data["shares"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("text", ["打开厨房的灯", "الكلب يركض", "half \udc80 a pair", "\0\n\t"])
def test_any_text_can_be_written(make_look, tmp_path, text):
    path = write_page(make_look(("▁" + text, "</s>"), source=text), tmp_path / "look.html")
    data = Reader(path.read_text(encoding="utf-8")).data
    assert data["source"] == text
    assert data["sourceTokens"][0]["token"] == "▁" + text


def test_a_link_without_weights_has_none_on_the_page(make_look):
    data = Reader(page(make_look(weights=np.zeros((0, 0, 4, 5))))).data
    assert (data["weights"], data["layers"]) == ([], 0)


def test_one_token_is_enough(make_look):
    data = Reader(page(make_look(("▁a",), ("▁b",), source="a", target="b"))).data
    assert data["weights"][0][0] == [data["scale"]]
