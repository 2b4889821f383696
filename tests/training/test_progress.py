from __future__ import annotations

import pytest

from endash.training import progress as module
from endash.training.progress import Progress, Show, Standing


def standing(step: int, fraction: float) -> Standing:
    return Standing(step, 0, fraction, loss=2.5, learning_rate=1e-3, tokens_per_second=12345.6)


def run(show: Show) -> None:
    with Progress(show) as progress:
        progress.say("a [line]")
        progress.step(standing(1, 0.1), log=False)
        progress.step(standing(2, 0.2), log=True)


def test_elsewhere_a_plain_line_when_a_log_line_is_due(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([100.0, 160.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    run("auto")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "a [line]",
        "step 2, epoch 1, loss 2.500, 12,346 tokens/s, learning rate 1.00e-03, 0:08:00 left",
    ]


def test_a_bar_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    run("bar")
    out, err = capsys.readouterr()
    assert out == ""
    assert "a [line]" in err
    assert "20%" in err


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    run("quiet")
    assert capsys.readouterr() == ("", "")


def test_what_is_counted_before_there_are_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([100.0, 160.0, 1000.0, 1010.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    with Progress("plain") as progress:
        progress.count("sources", 500, 2000, log=False)
        progress.count("sources", 1000, 2000, log=True)
        progress.step(standing(1, 0.0), log=False)
        progress.step(standing(2, 0.5), log=True)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "1,000 of 2,000 sources, 0:02:00 left"
    assert second.endswith("0:00:10 left"), "training has a pace of its own"
    with Progress("bar") as progress:
        monkeypatch.setattr(module.time, "monotonic", lambda: 5.0)
        progress.count("sources", 500, 2000, log=False)
    assert "500 of 2,000 sources" in capsys.readouterr().err
