"""The valid part: loss over its examples, and BLEU or chrF of its sources translated."""

from __future__ import annotations

import torch

from endash.corpora.scripts import is_chinese
from endash.evaluation.metrics import bleu, chrf
from endash.model import Model
from endash.network import Batch
from endash.training.batches import epoch_batches
from endash.training.config import TrainingConfig
from endash.training.examples import Examples
from endash.training.interruption import Stop
from endash.training.machine import Machine
from endash.training.position import Window

_SCORES = {"bleu": bleu, "chrf": chrf}
_SENTENCES = 256  # translated between two looks at whether to stop


class Validator:
    """Calls give the figures of a model as it stands: ``loss`` in nats per target token, and ``bleu`` or ``chrf`` if asked."""

    def __init__(self, model: Model, valid: Examples, config: TrainingConfig, machine: Machine) -> None:
        self.model, self.valid, self.config, self.machine = model, valid, config, machine
        pairs: list[tuple[str, str]] = valid.about["pairs"]
        self.sources = [source for source, _ in pairs]
        self.references = [target for _, target in pairs]
        self.tokenize = "zh" if is_chinese(self.references) else None

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
        hypotheses = self._translations(stop)
        if hypotheses is None:
            return None
        return figures | {metric: _SCORES[metric](hypotheses, self.references, tokenize=self.tokenize).value}

    def _losses(self) -> dict[str, float]:
        """The loss in nats per target token, its named parts in nats per example."""
        sums = Window()
        for rows in epoch_batches(self.valid.lengths, batch_tokens=self.config.batch_tokens, seed=0, epoch=0):
            fields = [torch.from_numpy(field).to(self.machine.device) for field in self.valid.padded(rows)]
            with self.machine.autocast():
                loss = self.model.network.loss(Batch(fields[0], fields[1], tuple(fields[2:])), label_smoothing=0.0)
            sums.add(loss)
            sums.targets += loss.tokens
        examples = len(self.valid)
        return {"loss": sums.nll / sums.targets, **{name: value / examples for name, value in sums.parts.items()}}

    def _translations(self, stop: Stop) -> list[str] | None:
        """The sources by the quickest search, in their order."""
        quick = self.model.recipe.decoding.quick()
        found: list[str] = []
        for first in range(0, len(self.sources), _SENTENCES):
            if stop.requested:
                return None
            chunk = self.sources[first : first + _SENTENCES]
            with self.machine.autocast():
                found += [best[0].text for best in self.model.translate(chunk, **quick)]
        return found
