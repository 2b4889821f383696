import struct
import sys
import warnings

import numpy as np
import pytest

from endash.errors import EndashError
from endash.inspection import write_png
from endash.inspection.fonts import find_fonts

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'endash[pictures]'")


def size(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(content) > 5_000
    return struct.unpack(">II", content[16:24])


def test_the_picture_grows_with_the_sentence(make_look, tmp_path):
    small = size(write_png(make_look(), tmp_path / "small.png"))
    words = [f"▁word{n}" for n in range(12)]
    large = size(write_png(make_look(words, words), tmp_path / "large.png"))
    assert large[0] > small[0] > 500
    assert large[1] > small[1] > 500


def test_all_three_pictures_are_in_it(make_look, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "endash.inspection.picture._Picture._map",
        lambda self, title, table, *_, **__: drawn.append((title, table.shape)),
    )
    joined = make_look(segments=(0, 0, 0, 1, 1))
    joined_size = size(write_png(joined, tmp_path / "joined.png"))
    assert drawn == [("Mean weights", (4, 5)), ("Memory similarity", (5, 5))]
    assert joined_size[1] > size(write_png(make_look(), tmp_path / "own.png"))[1]
    drawn.clear()
    write_png(make_look(weights=np.zeros((0, 0, 4, 5))), tmp_path / "state.png")
    assert drawn == [("Memory similarity", (5, 5))]


def test_each_head_of_each_layer_has_its_map(make_look, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "endash.inspection.picture._Picture._small_map", lambda self, table, place, *_: drawn.append((table, place))
    )
    look = make_look()
    several = size(write_png(look, tmp_path / "several.png"))
    assert len(drawn) == 6
    for number, (table, _) in enumerate(drawn):
        head, layer = divmod(number, 2)
        np.testing.assert_array_equal(table, look.weights[layer, head])
    (x, y), (below_x, below_y), (right_x, right_y) = (drawn[number][1] for number in (0, 1, 2))
    assert (x, y) == (below_x, right_y)
    assert below_y < y
    assert right_x > x
    drawn.clear()
    assert size(write_png(make_look(layers=1, heads=1), tmp_path / "one.png"))[1] < several[1]
    write_png(make_look(weights=np.zeros((0, 0, 4, 5))), tmp_path / "state.png")
    assert drawn == [], "one head is the mean"


@pytest.mark.parametrize("token", ["▁$x^$", "▁\\frac{", "</script>", "\n", "▁" + "long" * 40, "▁" + "שלום"])
def test_any_token_is_drawn_as_text(make_look, tmp_path, token):
    size(write_png(make_look((token, "</s>"), (token, "</s>")), tmp_path / "look.png"))


def test_one_token_is_enough(make_look, tmp_path):
    size(write_png(make_look(("▁a",), ("▁b",)), tmp_path / "look.png"))


def test_a_very_long_sentence_stays_a_picture_that_can_be_opened(make_look, tmp_path, monkeypatch):
    monkeypatch.setattr("endash.inspection.picture._PIXELS", 500_000)
    width, height = size(write_png(make_look(), tmp_path / "look.png"))
    assert width * height == pytest.approx(500_000, rel=0.02)


def test_characters_that_no_font_has_are_named_once(make_look, tmp_path):
    missing = "\U000e0aaa"  # no font has it, for it is not assigned
    look = make_look(("▁" + missing, "▁a", "</s>"), ("▁" + missing, "</s>"))
    with pytest.warns(UserWarning, match="install one that has them, such as the package fonts-noto-cjk") as warned:
        size(write_png(look, tmp_path / "look.png"))
    assert len(warned) == 1


def test_fonts_are_only_those_that_the_text_needs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_fonts("plain text").families == ("DejaVu Sans",)


def test_a_long_label_is_cut_to_its_room():
    fonts = find_fonts("plain")
    assert fonts.clip("plain", 9, 100) == "plain"
    cut = fonts.clip("plain" * 20, 9, 60)
    assert cut.endswith("…")
    assert 40 < fonts.width(cut, 9) <= 60


def test_without_matplotlib_it_says_what_to_install(make_look, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(EndashError, match=r"pip install 'endash\[pictures\]'"):
        write_png(make_look(), tmp_path / "look.png")
    assert list(tmp_path.iterdir()) == []
