"""Quickening: what is kept loses nothing, what loses is not kept, and the model says so."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny_model
from endash import load, native
from endash.cli import main
from endash.errors import ModelError
from endash.quicken import learn, quicken

pytestmark = pytest.mark.skipif(native.why_absent() is not None, reason="the native core is not built here")


def test_what_loses_nothing_is_kept(tmp_path: Path) -> None:
    model = tiny_model.build(tiny_model.trained_codec())
    pairs = [(source, model(source)) for source, _ in tiny_model.PAIRS[:30]]  # the model's own words: any change loses
    learn(model, pairs)
    trials = list(quicken(model, pairs, most=100.0))
    assert [trial.kept for trial in trials] == [True] * 4
    assert trials[0].chrf == pytest.approx(100)
    decoding = model.recipe.decoding
    assert (decoding.precision, decoding.shortlist, decoding.prune) == ("int8", True, 3.0)


def test_what_loses_too_much_is_not_kept() -> None:
    model = tiny_model.build(tiny_model.trained_codec())
    pairs = [(source, model(source)) for source, _ in tiny_model.PAIRS[:30]]
    learn(model, [(pairs[0][0], "x")])  # lists without what this model writes
    trials = list(quicken(model, pairs, most=0.0))
    listed = next(trial for trial in trials if trial.settings["shortlist"])
    assert listed.chrf < trials[0].chrf
    assert not listed.kept
    assert not model.recipe.decoding.shortlist


def test_the_command_saves_what_is_kept_and_its_card_says_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_model.build(tiny_model.trained_codec())
    model.save(tmp_path / "tiny", notes=["made by hand"])
    lines = (f"{source}\t{target}\n" for source, target in tiny_model.PAIRS[:20])
    (tmp_path / "pairs.tsv").write_text("source\ttarget\n" + "".join(lines), encoding="utf-8")
    for _ in range(2):  # a second time: its notes take the place of the first's
        assert main(["quicken", str(tmp_path / "tiny"), str(tmp_path / "pairs.tsv"), "--most", "100"]) == 0
    card = (tmp_path / "tiny" / "README.md").read_text(encoding="utf-8")
    assert card.count("- made by hand") == 1
    assert card.count("precision = int8, shortlist = false, prune = none") == 1
    assert load(tmp_path / "tiny").recipe.decoding.precision == "int8"
    assert "sentences/s" in capsys.readouterr().out


def test_the_command_judges_by_what_the_prompt_makes_of_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompted = "corpus.train={kind='tsv',path='pairs.tsv',prompt='say: {source}'}"
    tiny_model.build(tiny_model.trained_codec(), prompted).save(tmp_path / "tiny")
    for name in ("pairs.tsv", "more.tsv"):
        (tmp_path / name).write_text("source\ttarget\nThe door is on.\tDas door war on.\n", encoding="utf-8")
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr("endash.quicken.quicken", lambda model, pairs, **_: asked.extend(pairs) or iter(()))
    monkeypatch.setattr("endash.quicken.learn", lambda model, pairs: asked.extend(pairs))
    command = ["quicken", str(tmp_path / "tiny"), str(tmp_path / "pairs.tsv"), "--learn", str(tmp_path / "more.tsv")]
    assert main(command) == 0
    assert asked == [("say: The door is on.", "Das door war on.")] * 2


def test_a_model_that_the_core_does_not_decode_is_refused() -> None:
    model = tiny_model.build(tiny_model.trained_codec(), "head.pointer=true")
    with pytest.raises(ModelError, match=r"nothing can be made quicker here.*pointer"):
        next(quicken(model, tiny_model.PAIRS[:2], most=0.2))
