import json
import math

import pytest

from endash.errors import CorpusError
from endash.evaluation.charts import curve_svg
from endash.evaluation.curves import Curve, read_curves

ROWS = [
    {"kind": "train", "step": 1, "epoch": 0, "loss": 4.0, "learning_rate": 0.1, "seconds": 1.0},
    {"kind": "valid", "step": 2, "epoch": 1, "loss": 3.5, "macro_f1": 0.25},
    {"kind": "train", "step": 3, "epoch": 1, "loss": 3.0, "learning_rate": 0.1, "seconds": 2.0},
    {"kind": "valid", "step": 4, "epoch": 1, "loss": 2.5, "macro_f1": 0.5},
    {"kind": "final", "step": 4, "averaged": [2, 4], "loss": 2.4},
]


@pytest.fixture
def written(tmp_path):
    def write(rows, end=""):
        path = tmp_path / "metrics.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows) + end, encoding="utf-8")
        return path

    return write


def test_a_run_has_a_curve_for_each_figure_of_its_valid_part(written):
    loss, f1 = read_curves(written(ROWS))
    assert loss == Curve("loss", valid=((2, 3.5), (4, 2.5)), train=((1, 4.0), (3, 3.0)))
    assert f1 == Curve("macro_f1", valid=((2, 0.25), (4, 0.5)))


def test_a_run_that_was_never_validated_shows_its_loss(written):
    assert read_curves(written(ROWS[:1])) == (Curve("loss", valid=(), train=((1, 4.0),)),)


def test_a_line_that_a_crash_cut_short_is_left_out(written):
    assert read_curves(written(ROWS[:2], end='{"kind": "valid", "st'))[0].valid == ((2, 3.5),)


def test_what_is_not_finite_is_left_out(written):
    rows = [*ROWS, {"kind": "valid", "step": 6, "loss": math.nan, "macro_f1": math.inf}]
    assert read_curves(written(rows)) == read_curves(written(ROWS))


def test_a_file_that_is_missing_or_empty_is_refused_by_name(written, tmp_path):
    with pytest.raises(CorpusError, match=r"none\.jsonl: there is no such file"):
        read_curves(tmp_path / "none.jsonl")
    with pytest.raises(CorpusError, match=r"metrics\.jsonl holds no figure of training"):
        read_curves(written([]))


@pytest.mark.parametrize(
    "curve",
    [
        Curve("loss", valid=((5, 1.0),)),
        Curve("loss", valid=((5, 0.0), (6, 0.0))),
        Curve("loss", valid=((1, -1e-9), (2, 1e9))),
        Curve("loss", valid=(), train=((1, 3.0), (2, 2.0))),
        Curve("loss", valid=((1, float("inf")), (2, 1.0))),
    ],
)
def test_every_curve_can_be_drawn(curve):
    drawn = curve_svg(curve)
    assert drawn.startswith("<svg")
    assert "nan" not in drawn


def test_a_long_curve_is_thinned_but_keeps_its_ends():
    drawn = curve_svg(Curve("loss", valid=tuple((step, 1 / step) for step in range(1, 5001))))
    assert 100 < drawn.count("L") < 300
    assert ">5,000</text>" in drawn
    assert ">0.0002</text>" in drawn
