"""Targets that are begun: kept as they are, on both paths, in every search, and refused where they cannot be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny_model
from endash import Engine, native
from endash.decoding.processors import BanTokens, Prefix, Progress
from endash.errors import ModelError, TextError
from endash.model import Model
from endash.shortlist import Shortlist

TEXTS = ["The door is on.", "The {name} fan is off.", " ", "The lamp is on."]
PREFIXES = ["The ", "", "nothing", "The lamp is {name}"]
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"beam": 1},
    "beam": {"beam": 4, "n_best": 2},
    "sample": {"search": "sample", "n_best": 3},
    "no-repeat": {"beam": 3, "no_repeat": 2},
}
ROOM: dict[str, Any] = {"max_ratio": 2.0, "max_extra": 20}
needs_core = pytest.mark.skipif(native.why_absent() is not None, reason="the native core is not built here")


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model.build(tiny_model.trained_codec())


@pytest.mark.parametrize("search", SEARCHES)
def test_every_hypothesis_begins_with_its_prefix(model: Model, search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_core = model.translate(TEXTS, prefixes=PREFIXES, **ROOM, **SEARCHES[search])
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    by_torch = model.translate(TEXTS, prefixes=PREFIXES, **ROOM, **SEARCHES[search])
    for prefix, text, found, other in zip(PREFIXES, TEXTS, by_core, by_torch, strict=True):
        assert [one.text for one in found] == [one.text for one in other]
        assert [one.score for one in found] == pytest.approx([one.score for one in other], abs=1e-4)
        assert all(one.text.startswith(prefix.rstrip()) for one in found) or not text.strip()


def test_a_target_that_is_begun_with_itself_is_itself(model: Model) -> None:
    whole = model(TEXTS, beam=1, **ROOM)
    found = model.translate(TEXTS, prefixes=whole, beam=1, max_ratio=2.0, max_extra=30)
    assert all(one[0].text.startswith(text) for one, text in zip(found, whole, strict=True))


@needs_core
def test_an_engine_begins_so_too(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    with Engine(tmp_path / "model", beam=2, **ROOM) as engine:
        expected = model.translate(TEXTS, prefixes=PREFIXES, beam=2, **ROOM)
        assert engine.translate(TEXTS, prefixes=PREFIXES) == expected
        answer = engine.submit(TEXTS[0], prefix="The", stream=True)
        assert "".join(answer.stream()) == answer.result(60)[0].text == expected[0][0].text


@needs_core
def test_what_is_not_listed_may_stand_in_a_prefix(model: Model) -> None:
    listed = tiny_model.build(tiny_model.trained_codec())
    special = np.arange(5 + listed.codec.target.slots, dtype=np.int32)
    offsets = np.zeros(listed.codec.size_source + 1, dtype=np.int32)
    listed.shortlist = Shortlist(special, offsets, np.zeros(0, dtype=np.int32))
    [[found]] = listed.translate([TEXTS[0]], prefixes=["The lamp"], beam=2, shortlist=True, **ROOM)
    assert found.text.startswith("The lamp")


@needs_core
def test_both_paths_score_alike(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, targets = [TEXTS[0], TEXTS[1], ""], ["The lamp is off.", "{name} {name}", ""]
    scores = model.score(sources, targets)
    monkeypatch.setenv("ENDASH_NATIVE", "off")
    assert scores == pytest.approx(model.score(sources, targets), abs=1e-4)
    assert all(after != before for before, after in pairwise(scores))


def test_what_cannot_be_begun_is_refused(model: Model) -> None:
    with pytest.raises(TextError, match="2 texts and 1 prefixes"):
        model.translate(TEXTS[:2], prefixes=["The"])
    with pytest.raises(ModelError, match=r"row 1 has a prefix of .* tokens but a maximum length of 4 tokens"):
        model.translate(TEXTS[:2], prefixes=["", "The lamp is on and off."], max_ratio=0.0, max_extra=4)
    long = " ".join(["The door is on."] * 400)
    with pytest.raises(TextError, match="text 2: the text is longer than the model takes at once"):
        model.translate([TEXTS[0], long], prefixes=["", "The"])
    parts = (
        'decoder={kind="mask-predict",width=16,layers=1,heads=2,feed_forward=16}',
        'decoding={search="mask-predict"}',
    )
    with pytest.raises(ModelError, match="begins with no prefix"):
        tiny_model.build(tiny_model.trained_codec(), *parts).translate(TEXTS, prefixes=PREFIXES)


def test_a_prefix_outdoes_other_processors_until_it_ends() -> None:
    rule = Prefix((BanTokens([1, 2]),), torch.tensor([[2, -1], [3, 1]]))
    scores = torch.arange(10.0).view(2, 1, 5)
    first = rule(scores.clone(), Progress(0, torch.tensor([9, 9])))
    assert first.isfinite().nonzero().tolist() == [[0, 0, 2], [1, 0, 3]]
    assert first[0, 0, 2] == 2.0
    second = rule.select(torch.tensor([1]))(scores[1:].clone(), Progress(1, torch.tensor([9])))
    assert second.isfinite().nonzero().tolist() == [[0, 0, 1]]
    after = rule(scores.clone(), Progress(1, torch.tensor([9, 9])))
    assert after[0].isfinite().nonzero()[:, -1].tolist() == [0, 3, 4]
