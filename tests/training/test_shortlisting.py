"""The shortlist that a run's examples teach."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_training_run import recipe
from tiny import VOCABULARY, examples

from endash import shortlist
from endash.training import shortlisting
from endash.training.shortlisting import coverage, learn_shortlist


def prepared(folder: Path, *, joint: bool) -> Any:
    """What `learn_shortlist` reads of a `Prepared`: random examples, one vocabulary or two of the same size."""
    target = SimpleNamespace(slots=2)
    codec = SimpleNamespace(
        size_source=VOCABULARY, size_target=VOCABULARY, target=target, source=target if joint else None
    )
    return SimpleNamespace(codec=codec, train=examples(folder / "train"), valid=examples(folder / "valid", seed=1))


@pytest.mark.parametrize("joint", [True, False])
def test_a_joint_vocabulary_is_known_as_one(joint: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(shortlist.Shortlist, "learn", lambda *_, **settings: asked.update(settings))
    learn_shortlist(prepared(tmp_path, joint=joint))
    assert asked == {"special": 7, "shared": joint}


def test_of_many_examples_a_fixed_sample_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = prepared(tmp_path, joint=True)
    rows = list(shortlisting._drawn(found.train))
    assert sorted(rows) == list(range(len(found.train)))
    lengths = np.asarray(found.train.lengths, dtype=np.int64)
    links = (lengths[:, 0] + 1) * lengths[:, 1]
    monkeypatch.setattr(shortlisting, "_LINKS", int(links.sum()) // 3)
    few = list(shortlisting._drawn(found.train))
    assert few == rows[: len(few)]
    assert links[few].sum() <= links.sum() // 3 < links[rows[: len(few) + 1]].sum()
    monkeypatch.setattr(shortlisting, "_LINKS", 1)
    assert list(shortlisting._drawn(found.train)) == rows[:1]


def test_coverage_is_of_the_valid_part(tmp_path: Path) -> None:
    found = prepared(tmp_path, joint=True)
    shortlist = learn_shortlist(found)
    everything = coverage(shortlist, found.valid)
    assert everything.share == 1.0
    assert everything.size <= VOCABULARY


def test_what_copies_or_reads_passages_has_none(tmp_path: Path) -> None:
    assert recipe(tmp_path).takes_shortlist
    assert not recipe(tmp_path, "head.pointer=true").takes_shortlist
    assert not recipe(tmp_path, "retrieval={}").takes_shortlist
