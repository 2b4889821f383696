from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import VOCABULARY, TinyNetwork

from endash.corpora import CorpusConfig, Record, guess_reader
from endash.decoding.config import DecodingConfig
from endash.example import Example
from endash.tasks import TranslationTask
from endash.training.config import TrainingConfig
from endash.training.examples import Examples
from endash.training.interruption import Stop
from endash.training.machine import Machine
from endash.training.validation import Validator

TASK = TranslationTask(TranslationTask.Config())
PAIRS = [(f"s{number}", f"the target of sentence {number}") for number in range(5)]


class Answers:
    """A model that knows every target, and counts how often it is asked."""

    def __init__(self, corpus: CorpusConfig | None = None) -> None:
        self.network = TinyNetwork()
        self.recipe = SimpleNamespace(decoding=DecodingConfig(), corpus=corpus)
        self.task = TASK
        self.asked: list[dict[str, Any]] = []

    def answer(self, records: list[Record], **decoding: Any) -> list[str]:
        self.asked.append(decoding)
        return [dict(PAIRS)[record.source] for record in records]


def validator(folder: Path, metric: str, corpus: CorpusConfig | None = None) -> tuple[Validator, Answers]:
    examples = Examples.write(
        folder / "valid",
        [Example([5 + number, 3], [6, 7 + number, 3]) for number in range(5)],
        passages=0,
        vocabulary=VOCABULARY,
        fingerprint="x",
        about=lambda: {"records": [{"row": 0, "source": source, "target": target} for source, target in PAIRS]},
    )
    model = Answers(corpus)
    config = TrainingConfig.model_validate({"metric": metric, "batch_tokens": 6})
    return Validator(model, examples, config, Machine(torch.device("cpu"), torch.float32)), model  # type: ignore[arg-type]


def test_loss_is_a_mean_over_target_tokens_without_smoothing_or_dropout(tmp_path: Path) -> None:
    validate, model = validator(tmp_path, "loss")
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.zero_()
    model.network.train()
    random = torch.get_rng_state()
    figures = validate(Stop())
    assert figures == {"loss": pytest.approx(math.log(VOCABULARY))}
    assert torch.equal(torch.get_rng_state(), random)
    assert model.asked == []


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_translations_are_greedy_and_scored(tmp_path: Path, metric: str) -> None:
    validate, model = validator(tmp_path, metric)
    figures = validate(Stop())
    assert figures is not None
    assert figures[metric] == pytest.approx(100.0)
    assert model.asked == [{"search": "beam", "beam": 1, "n_best": 1}]


def test_it_is_left_between_translations_when_asked_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("endash.training.validation._RECORDS", 2)
    validate, model = validator(tmp_path, "bleu")
    stop = Stop()
    answer = model.answer

    def stopped(records: list[Record], **decoding: Any) -> list[str]:
        stop.requested = len(model.asked) == 1
        return answer(records, **decoding)

    model.answer = stopped  # type: ignore[method-assign]
    assert validate(stop) is None
    assert len(model.asked) == 2


def test_bleu_is_by_the_tokenizer_of_the_language_that_the_corpus_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pairs.tsv").write_text("en\tja\n", encoding="utf-8")
    reader = guess_reader(f"{tmp_path}/pairs.tsv")
    asked: list[str | None] = []
    monkeypatch.setattr(TASK, "value", lambda *_, language=None: asked.append(language) or 0.0, raising=False)
    validator(tmp_path, "bleu", CorpusConfig(train=(reader,)))[0](Stop())
    assert asked == ["ja"]
