import numpy as np
import pytest

from endash.errors import EndashError
from endash.inspection.look import shown


def test_arrays_may_be_nested_lists(make_look):
    look = make_look(("▁a",), ("▁b",), weights=[[[[1]]]], similarity=[[1]])
    assert look.weights.dtype == np.float32
    assert (look.layers, look.heads) == (1, 1)
    assert look.mean_weights().tolist() == [[1.0]]


def test_the_shares_say_which_part_of_the_memory_was_read(make_look):
    weights = np.zeros((1, 2, 4, 5))
    weights[:, 0, :, 0] = 1.0
    weights[:, 1, :, 3] = 1.0
    look = make_look(weights=weights, segments=(0, 0, 0, 1, 1), passages=("a match",))
    assert look.shares() == [0.5, 0.5]
    assert [look.passage_label(0), look.passage_label(1)] == ["source", "a match"]
    assert make_look(segments=(0, 0, 0, 1, 2)).passage_label(2) == "joined passage 2"


def test_a_link_without_weights_is_looked_at_too(make_look):
    look = make_look(weights=np.zeros((0, 0, 4, 5)))
    assert (look.layers, look.heads) == (0, 0)
    assert look.mean_weights().shape == (4, 5)
    assert look.shares() == [0.0]


def test_tokens_are_shown_as_they_read():
    labels = {token.token: token.label for token in shown(["▁Haus", "▁", "▁▁", "a▁b", "\n", "\t", "\0", "</s>"])}
    assert list(labels.values()) == ["Haus", "␣", "␣␣", "a b", "⏎", "⇥", "␀", "</s>"]
    start, middle, special, tag, byte = shown(["▁a", "b", "</s>", "<b>", "<0xE4>"])
    assert (start.start, middle.start, special.start) == (True, False, True)
    assert [token.special for token in (start, middle, special, tag, byte)] == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": np.zeros((2, 3, 5, 4))}, r"weights is \(5, 4\) where \(4, 5\) is needed"),
        ({"weights": np.zeros((4, 5))}, r"weights is \(2,\) where \(4,\) is needed: dimensions \(layers, heads"),
        ({"similarity": np.zeros((4, 5))}, r"similarity is \(4, 5\) where \(5, 5\) is needed"),
        ({"copied": np.zeros((5, 4))}, r"copied is \(5, 4\) where \(4, 5\) is needed"),
        ({"copied": np.full((4, 5), np.inf)}, "copied holds a number that is not finite"),
        ({"segments": (0, 0)}, r"segments is \(2,\) where \(5,\) is needed: one for each source token"),
        ({"token_scores": (0.0,)}, r"token_scores is \(1,\) where \(4,\) is needed: one for each target token"),
        ({"segments": (0, 0, 1, 1, 2), "passages": ("one",)}, r"1 passages for segments \[0, 1, 2\]"),
        ({"segments": (0, 0, 0, 0, -1)}, r"segments \[-1, 0\]"),
        ({"similarity": np.full((5, 5), np.nan)}, "not finite"),
        ({"token_scores": (0.0, float("nan"), 0.0, 0.0)}, "not finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make_look, fields, message):
    with pytest.raises(EndashError, match=message):
        make_look(**fields)


def test_nothing_to_look_at_is_refused(make_look):
    with pytest.raises(EndashError, match="0 source and 4 target tokens"):
        make_look((), similarity=np.zeros((0, 0)), weights=np.zeros((1, 1, 4, 0)))
