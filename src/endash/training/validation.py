"""The valid part: loss over its examples, and what the model's task measures of its answers to its records."""

from __future__ import annotations

import torch

from endash.corpora import target_language
from endash.loading import AnyModel
from endash.tasks import Answer
from endash.training.batches import epoch_batches
from endash.training.batching import make_batch
from endash.training.config import TrainingConfig
from endash.training.examples import Examples
from endash.training.interruption import Stop
from endash.training.machine import Machine
from endash.training.position import Window
from endash.training.preparation import records_of

_RECORDS = 256  # answered between two looks at whether to stop


class Validator:
    """Calls give the figures of a model as it stands: ``loss`` in nats per target token, and the metric that the recipe names."""

    def __init__(self, model: AnyModel, valid: Examples, config: TrainingConfig, machine: Machine) -> None:
        self.model, self.valid, self.config, self.machine = model, valid, config, machine
        self.records = records_of(valid)
        writes = model.task.writes == "text"
        self.decoding = model.recipe.decoding.quick() if writes else {}
        self.language = target_language(self.records, model.recipe.corpus) if writes else None

    @torch.no_grad()
    def __call__(self, stop: Stop) -> dict[str, float] | None:
        """The figures; None if `stop` was requested before they were complete."""
        self.model.network.eval()
        with torch.random.fork_rng():  # a latent vector that is drawn leaves training's own draws as they are
            torch.manual_seed(0)
            figures = self._losses()
        metric = self.config.metric
        if metric == "loss":
            return figures
        answers = self._answers(stop)
        if answers is None:
            return None
        return figures | {metric: self.model.task.value(metric, answers, self.records, language=self.language)}

    def _losses(self) -> dict[str, float]:
        """The loss in nats per target token, its named parts in nats per example."""
        sums = Window()
        for rows in epoch_batches(self.valid.lengths, batch_tokens=self.config.batch_tokens, seed=0, epoch=0):
            batch = make_batch(self.valid, rows, self.machine.device)
            with self.machine.autocast():
                loss = self.model.network.loss(batch, label_smoothing=0.0)
            sums.add(loss)
            sums.targets += loss.tokens
        examples = len(self.valid)
        return {"loss": sums.nll / sums.targets, **{name: value / examples for name, value in sums.parts.items()}}

    def _answers(self, stop: Stop) -> list[Answer] | None:
        """The answers by the quickest search, in the order of the records."""
        found: list[Answer] = []
        for first in range(0, len(self.records), _RECORDS):
            if stop.requested:
                return None
            with self.machine.autocast():
                found += self.model.answer(self.records[first : first + _RECORDS], **self.decoding)
        return found
